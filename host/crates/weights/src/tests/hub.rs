use super::*;
use crate::hub::Hub;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A cache with `org/net` at commit `abc123`, which `main` points to.
fn filled_cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().expect("a directory");
    let model = cache.path().join("models--org--net");
    let snapshot = model.join("snapshots/abc123");
    fs::create_dir_all(snapshot.join("sub")).expect("made");
    fs::create_dir_all(model.join("refs")).expect("made");
    fs::write(model.join("refs/main"), "abc123").expect("written");
    fs::copy(file("small.safetensors"), snapshot.join("model.safetensors")).expect("copied");
    fs::copy(file("small.pth"), snapshot.join("sub/x.pth")).expect("copied");
    cache
}

fn offline(cache: &Path) -> Hub {
    Hub { cache: cache.to_owned(), endpoint: None }
}

#[test]
fn an_address_is_found_in_the_cache_by_revision() {
    let cache = filled_cache();
    let snapshot = cache.path().join("models--org--net/snapshots/abc123");
    for (address, expected) in [
        ("hf://org/net/sub/x.pth", "sub/x.pth"),
        ("hf://org/net", "model.safetensors"),
        ("hf://org/net@abc123/model.safetensors", "model.safetensors"),
    ] {
        let found = offline(cache.path()).find(address).expect("cached");
        assert_eq!(found, snapshot.join(expected));
    }
}

#[test]
fn an_address_that_is_not_cached_says_what_to_fetch() {
    let cache = filled_cache();
    for address in ["hf://org/net@v2/model.safetensors", "hf://org/net/other.bin", "hf://a/b"] {
        let error = offline(cache.path()).find(address).expect_err("not there").to_string();
        assert!(error.contains("`hf download ") && error.contains("HF_HUB_OFFLINE"), "{error}");
        assert!(error.contains("models--") && error.contains("HF_HOME"), "{error}");
    }
    let error = offline(cache.path()).find("hf://org/net@v2/x.bin").expect_err("not there");
    assert!(error.to_string().contains("`hf download org/net x.bin --revision v2`"), "{error}");
}

#[test]
fn an_address_cannot_lead_out_of_the_cache() {
    let cache = filled_cache();
    for address in [
        "hf://org",
        "hf://org/",
        "hf://../net/x",
        "hf://org/net/../../x",
        "hf://org/net//x",
        "hf://org/net@../x/y",
    ] {
        let error = offline(cache.path()).find(address).expect_err("no address");
        assert!(matches!(error, WeightsError::HubAddress { .. }), "{address}: {error}");
    }
}

/// A server with these files of `org/net`, which notes what it is asked for.
struct Server {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let files =
            files.iter().map(|(name, bytes)| (format!("/org/net/resolve/main/{name}"), bytes.clone()));
        let files: HashMap<String, Vec<u8>> = files.collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                log.lock().expect("the log").extend(answer(stream, &files));
            }
        });
        Self { endpoint, asked }
    }

    fn hub(&self, cache: &Path) -> Hub {
        Hub { cache: cache.to_owned(), endpoint: Some(self.endpoint.clone()) }
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("the log").len()
    }
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Vec<u8>>) -> Option<String> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut range = (0, usize::MAX);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        if let Some((start, end)) = line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-'))
        {
            range = (start.parse().ok()?, end.parse().map_or(usize::MAX, |end: usize| end + 1));
        }
    }
    let Some(bytes) = files.get(&path) else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
        return Some(path);
    };
    let part = &bytes[range.0..range.1.min(bytes.len())];
    let (first, last, all) = (range.0, range.0 + part.len() - 1, bytes.len());
    let (length, tag) = (part.len(), path.rsplit('/').next()?);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: bytes \
         {first}-{last}/{all}\r\n\
         ETag: \"{tag}\"\r\nX-Repo-Commit: c0ffee\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(part).ok()?;
    Some(path)
}

#[test]
fn what_is_not_cached_is_fetched_once() {
    let cache = tempfile::tempdir().expect("a directory");
    let server = Server::with(&[("small.pth", fs::read(file("small.pth")).expect("a fixture"))]);
    let found = server.hub(cache.path()).find("hf://org/net/small.pth").expect("fetched");
    assert_eq!(read(&found).expect("it loads").len(), 9);
    assert!(found.ends_with("models--org--net/snapshots/c0ffee/small.pth"));
    let asked = server.asked();
    assert_eq!(server.hub(cache.path()).find("hf://org/net/small.pth").expect("cached"), found);
    assert_eq!(server.asked(), asked);
}

#[test]
fn the_shards_of_an_index_are_fetched_with_it() {
    let index = serde_json::json!({ "weight_map": { "0.weight": "a.safetensors",
        "encoder.0.bias": "b.safetensors" } });
    let server = Server::with(&[
        ("model.safetensors.index.json", index.to_string().into_bytes()),
        ("a.safetensors", fs::read(file("small.safetensors")).expect("a fixture")),
        ("b.safetensors", fs::read(file("autoencoder.safetensors")).expect("a fixture")),
    ]);
    let cache = tempfile::tempdir().expect("a directory");
    let found = server.hub(cache.path()).find("hf://org/net").expect("fetched");
    assert_eq!(read(&found).expect("it loads").names().collect::<Vec<_>>(), ["0.weight", "encoder.0.bias"]);
    fs::remove_file(found.with_file_name("b.safetensors")).expect("removed");
    assert!(offline(cache.path()).find("hf://org/net").is_err(), "a shard is missing");
}

#[test]
fn what_the_hub_does_not_have_is_an_error_with_its_answer() {
    let server = Server::with(&[]);
    let cache = tempfile::tempdir().expect("a directory");
    let fault = |address: &str| server.hub(cache.path()).find(address).expect_err("not there").to_string();
    let error = fault("hf://org/net/lost.pth");
    assert!(error.contains("404") && error.contains("hf download org/net lost.pth"), "{error}");
    assert!(fault("hf://org/net").contains("it has no weights"));
}
