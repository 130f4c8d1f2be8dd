//! Compiles the few lines of C that the feature `lws` needs. Without it there is nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "lws")]
    lws::build();
}

#[cfg(feature = "lws")]
mod lws {
    use std::process::Command;

    const SHIM: &str = "src/peers/lws/shim.c";

    pub(super) fn build() {
        println!("cargo::rerun-if-changed={SHIM}");
        let flags = flags().unwrap_or_else(|| vec!["-lwebsockets".to_owned()]);
        let mut shim = cc::Build::new();
        shim.file(SHIM).warnings(true).cargo_warnings(false);
        for path in flags.iter().filter_map(|flag| flag.strip_prefix("-I")) {
            // Its headers are not ours to warn about.
            shim.flag("-isystem").flag(path);
        }
        if let Err(error) = shim.try_compile("smd_lws_shim") {
            println!(
                "cargo::error=the feature `lws` wants a C compiler and libwebsockets with lws_smd; on Debian: \
                 apt-get install -y gcc libwebsockets-dev"
            );
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            return;
        }
        for flag in &flags {
            if let Some(path) = flag.strip_prefix("-L") {
                println!("cargo::rustc-link-search=native={path}");
            } else if flag == "-lwebsockets" {
                println!("cargo::rustc-link-lib=websockets");
            }
        }
    }

    /// What pkg-config says, if it is there and knows the library.
    fn flags() -> Option<Vec<String>> {
        let asked = ["--cflags", "--libs", "libwebsockets"];
        let output = Command::new("pkg-config").args(asked).output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout);
        output.status.success().then(|| said.split_whitespace().map(str::to_owned).collect())
    }
}
