//! Writes every page of the login host, with sample values, as HTML files into a folder, to be looked at and to be judged by the
//! accessibility tests: `cargo run --example pages -- FOLDER [LANGUAGE]`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use fedgate::kernel::values::Language;
use fedgate::language;
use fedgate::pages;

mod samples;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cargo run --example pages -- FOLDER [LANGUAGE]");
        return ExitCode::from(2);
    };
    let language = std::env::args().nth(2).unwrap_or_else(|| "en".to_owned());
    match write_all(&folder, &language) {
        Ok(count) => {
            println!("{count} pages in {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &std::path::Path, language: &str) -> Result<usize, Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let renderer = pages::Pages::new("id.example.com", Arc::new(language::Languages::shipped(&[])?))?;
    let reader = pages::Reader { language: Language::parse(language)?, picker: None };
    let all = samples::all();
    for (name, page) in &all {
        // A refresh at once would leave the file before anyone could look at it; one after a day changes nothing else.
        let body = renderer.render(page, &reader).body.replace("content=\"0; url=", "content=\"86400; url=");
        std::fs::write(folder.join(format!("{name}.html")), body)?;
    }
    Ok(all.len())
}
