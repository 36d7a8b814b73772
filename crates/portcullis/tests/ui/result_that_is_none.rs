//! A tool returns something that can be an answer.
use portcullis::Tool;

struct Answer;

async fn answer() -> Answer {
    Answer
}

fn main() {
    let _ = Tool::new("answer", answer);
}
