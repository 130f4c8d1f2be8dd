//! A proxy for other processes, here or of libwebsockets: `cargo run --example proxy -- @NAME`.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use smd_link::{Address, server::Proxy};
    use smd_lockfree::Bus;

    let address: Address = match std::env::args().nth(1) {
        Some(address) => address.parse()?,
        None => Address::default(),
    };
    let bus = Bus::new();
    let builder = Proxy::builder(&bus).address(address);
    let mut proxy = builder.notices(|notice| eprintln!("{notice}")).build()?;
    println!("listening at {}", proxy.address());
    Ok(proxy.run()?)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("proxies are Linux only");
}
