//! What becomes of a process that cannot write.

use crate::support::{Program, call, send, upstream};

#[test]
fn sec_gw_25_lines_that_nobody_takes_are_told_at_the_end() {
    let program = Program::dev();
    // Its stdout is a pipe, of which nobody reads more than the first line.
    let serving = program.env("PORTCULLIS_AUDIT_FILE", "-").serve();
    let (url, alice) = (serving.url(), serving.token("alice"));
    for _ in 0..400 {
        assert_eq!(call(&url, Some(&alice), "whoami").status, 200);
    }
    let ended = serving.stop();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("lines of the audit log are lost"),
        "{}",
        ended.stderr
    );
    let written = ended.stdout.lines().count();
    assert!(written > 50 && written < 400, "{written}");
}

#[test]
fn sec_st_14_a_limit_on_file_sizes_ends_no_server() {
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"server\"\n[[upstream]]\nurl = \"{}\"\n",
        upstream()
    );
    let program = Program::new(&["run", "--json"]).toml(&toml);
    let serving = program.under("ulimit -f 2000").serve();
    let base = serving.url().replace("/mcp", "");
    let register = || {
        let body =
            r#"{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}"#;
        let json = ("Content-Type", "application/json");
        send(&format!("{base}/oauth/register"), &[json], Some(body)).status
    };
    let refused = (0..200).map(|_| register()).find(|status| *status != 201);
    assert_eq!(refused, Some(503), "the database has no room");
    assert_eq!(send(&format!("{base}/livez"), &[], None).status, 200);
    assert_eq!(register(), 503);
    assert_eq!(serving.stop().code, 0);
}
