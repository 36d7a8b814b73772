//! Logs of one thread among others. The only test of this program that listens: a second listener
//! would change what `tracing` does.

use portcullis_testkit::CapturedLogs;

#[test]
fn an_event_that_a_deaf_thread_met_first_is_seen() {
    fn event() {
        tracing::info!("met");
    }
    let logs = CapturedLogs::start();
    std::thread::spawn(event).join().unwrap();
    assert_eq!(logs.text(), "", "work of other threads is not seen");
    event();
    assert!(logs.text().contains("met"));
}
