mod judging;
mod synth;
mod writing;
