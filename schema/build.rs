//! The SQL is embedded at compile time: a changed file must cause a new compilation.

fn main() {
    println!("cargo:rerun-if-changed=postgres");
    println!("cargo:rerun-if-changed=sqlite");
}
