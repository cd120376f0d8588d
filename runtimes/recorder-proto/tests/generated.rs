//! Whether the committed code is what the `.proto` file says.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panic")]

use std::{fs, path::Path};

#[test]
fn the_code_is_as_generated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = std::env::temp_dir().join(format!("hearth-recorder-proto-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    let files = protox::compile(["recorder.proto"], [root.join("proto")]).unwrap();
    tonic_prost_build::configure().build_transport(false).out_dir(&out).compile_fds(files).unwrap();
    let generated = fs::read_to_string(out.join("hearth.recorder.v1.rs")).unwrap();
    fs::remove_dir_all(&out).unwrap();
    let committed = root.join("src/v1.rs");
    if std::env::var_os("HEARTH_WRITE").is_some() {
        fs::write(&committed, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&committed).unwrap() == generated,
        "src/v1.rs is not as generated: HEARTH_WRITE=1 cargo test -p hearth-recorder-proto"
    );
}
