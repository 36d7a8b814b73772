//! What a tool answered.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis::model::{CallToolResult, ContentBlock, ResourceContents};
use portcullis_oauth::crypto::base64;
use serde::Serialize;

use crate::report::{Failure, Problem, Show};

/// The answer, and where its data went.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    result: CallToolResult,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<PathBuf>,
}

/// An image, audio or a blob.
struct Data<'a> {
    kind: &'static str,
    mime_type: &'a str,
    base64: &'a str,
}

impl Answer {
    /// Writes the data of the answer to `output`, if there is one.
    pub(super) fn new(result: CallToolResult, output: Option<&Path>) -> Result<Self, Failure> {
        let mut files = Vec::new();
        if let Some(output) = output {
            let data = result.content.iter().filter_map(data);
            for (at, data) in data.enumerate() {
                files.push(save(&data, &numbered(output, at))?);
            }
            if files.is_empty() {
                let problem = Problem::new("the answer has no image, audio or other data");
                let shown = output.display();
                return Err(problem
                    .hint(format!("`{shown}` is not written; leave out `--output`"))
                    .into());
            }
        }
        Ok(Self { result, files })
    }

    pub(super) fn is_error(&self) -> bool {
        self.result.is_error == Some(true)
    }
}

fn save(data: &Data<'_>, path: &Path) -> Result<PathBuf, Failure> {
    let shown = path.display();
    let bytes = base64::decode_strict(data.base64)
        .map_err(|error| Problem::new(format!("the {} is not base64", data.kind)).because(error))?;
    fs::write(path, bytes)
        .map_err(|error| Problem::new(format!("`{shown}` cannot be written")).because(error))?;
    Ok(path.to_owned())
}

/// `out.png`, `out-2.png`, `out-3.png`.
fn numbered(path: &Path, at: usize) -> PathBuf {
    if at == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{}.{}", at + 1, extension.to_string_lossy()),
        None => format!("{stem}-{}", at + 1),
    };
    path.with_file_name(name)
}

fn data(block: &ContentBlock) -> Option<Data<'_>> {
    match block {
        ContentBlock::Image(image) => Some(Data {
            kind: "image",
            mime_type: &image.mime_type,
            base64: &image.data,
        }),
        ContentBlock::Audio(audio) => Some(Data {
            kind: "audio",
            mime_type: &audio.mime_type,
            base64: &audio.data,
        }),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::BlobResourceContents {
                mime_type, blob, ..
            } => Some(Data {
                kind: "data",
                mime_type: mime_type.as_deref().unwrap_or("application/octet-stream"),
                base64: blob,
            }),
            _ => None,
        },
        _ => None,
    }
}

impl Show for Answer {
    fn human(&self) -> String {
        let mut files = self.files.iter();
        let blocks = self.result.content.iter();
        let mut parts: Vec<String> = blocks
            .map(|block| shown(block, files.next_if_data(block)))
            .collect();
        // Whoever sends it sends its text as well, if it means well.
        if parts.is_empty()
            && let Some(value) = &self.result.structured_content
        {
            parts.push(format!("{value:#}"));
        }
        parts.join("\n")
    }
}

/// The file of a block, where it has one.
trait NextIfData {
    fn next_if_data(&mut self, block: &ContentBlock) -> Option<&Path>;
}

impl NextIfData for std::slice::Iter<'_, PathBuf> {
    fn next_if_data(&mut self, block: &ContentBlock) -> Option<&Path> {
        data(block)?;
        self.next().map(PathBuf::as_path)
    }
}

fn shown(block: &ContentBlock, file: Option<&Path>) -> String {
    if let Some(data) = data(block) {
        let (kind, mime_type) = (data.kind, data.mime_type);
        // Four characters of base64 are three bytes.
        let bytes = data.base64.trim_end_matches('=').len() * 3 / 4;
        let place = match file {
            Some(file) => format!("written to {}", file.display()),
            None => "`--output FILE` keeps it".to_owned(),
        };
        return format!("({kind}, {mime_type}, {bytes} bytes: {place})");
    }
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            _ => "(a resource of a kind unknown here)".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("{}  {}", link.uri, link.name),
        _ => "(content of a kind unknown here)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> CallToolResult {
        CallToolResult::success(vec![
            ContentBlock::text("one\n\ttwo"),
            ContentBlock::image("AAEC", "image/png"),
            ContentBlock::audio("AA==", "audio/wav"),
        ])
    }

    #[test]
    fn text_is_as_it_is_and_data_is_a_note() {
        let answer = Answer::new(result(), None).unwrap();
        assert_eq!(
            answer.human(),
            "one\n\ttwo\n(image, image/png, 3 bytes: `--output FILE` keeps it)\n(audio, audio/wav, 1 bytes: `--output FILE` keeps it)"
        );
    }

    #[test]
    fn structured_content_stands_in_for_no_content() {
        let mut result = CallToolResult::success(Vec::new());
        result.structured_content = Some(serde_json::json!({"a": 1}));
        let answer = Answer::new(result, None).unwrap();
        assert_eq!(answer.human(), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn files_are_numbered() {
        let path = Path::new("dir/out.png");
        assert_eq!(numbered(path, 0), path);
        assert_eq!(numbered(path, 1), Path::new("dir/out-2.png"));
        assert_eq!(numbered(Path::new("out"), 2), Path::new("out-3"));
    }
}
