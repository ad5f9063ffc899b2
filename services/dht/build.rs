//! Notes for the tests whether they can make network namespaces of their own, for which they need root and iproute2.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(has_namespaces)");
    let made = Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).output();
    if made.is_ok_and(|output| output.status.success()) {
        println!("cargo:rustc-cfg=has_namespaces");
    }
}
