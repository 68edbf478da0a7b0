//! What must hold for any catalogue.

use super::*;
use crate::kernel::values::Wishes;

const ENGLISH: &str = "hello = Hello { $name }\nbye = Bye\nlanguage-name = English\nsize-bytes = { $count ->\n    [one] { $count } byte\n   *[other] { $count } bytes\n}\n";

fn catalogue(tag: &str, source: &str) -> Catalogue {
    Catalogue::parse(&Language::parse(tag).unwrap(), source).unwrap()
}

fn languages(others: &[(&str, &str)]) -> Arc<Languages> {
    let others: Vec<_> = others.iter().map(|(tag, source)| catalogue(tag, source)).collect();
    Arc::new(Languages::new(ENGLISH, &others).unwrap())
}

fn hello(languages: &Arc<Languages>, tag: &str, name: &str) -> String {
    languages.speaker(&Language::parse(tag).unwrap()).text(&Text::of("hello").with("name", name)).unwrap()
}

#[test]
fn what_a_language_lacks_or_cannot_say_is_said_in_english() {
    let spoken = languages(&[("de", "hello = Hallo { $nome }"), ("fr", "hello = Salut { $name }")]);
    assert_eq!(hello(&spoken, "fr", "Ann"), "Salut Ann");
    assert_eq!(hello(&spoken, "de", "Ann"), "Hello Ann", "German speaks of what it is not given");
    assert_eq!(hello(&spoken, "it", "Ann"), "Hello Ann", "nobody speaks Italian here");
    let french = spoken.speaker(&Language::parse("fr").unwrap());
    assert_eq!(french.text(&Text::of("bye")).unwrap(), "Bye");
    assert!(french.text(&Text::of("nothing")).is_err(), "a message that there is not is a defect, and said to be one");
    assert!(french.text(&Text::of("hello")).is_err(), "and so is one whose fact is missing");
}

#[test]
fn a_catalogue_that_is_added_goes_before_ours_message_by_message() {
    let spoken = languages(&[("de", "hello = Hallo { $name }\nbye = Tschüss"), ("de", "hello = Grüezi { $name }")]);
    assert_eq!(hello(&spoken, "de", "Ann"), "Grüezi Ann");
    let german = spoken.speaker(&Language::parse("de").unwrap());
    assert_eq!(german.text(&Text::of("bye")).unwrap(), "Tschüss");
    let english = languages(&[("en", "bye = So long")]);
    assert_eq!(english.english(&Text::of("bye")).unwrap(), "So long");
    assert_eq!(hello(&english, "en", "Ann"), "Hello Ann");
}

#[test]
fn the_nearest_language_that_is_spoken_is_chosen() {
    let spoken = languages(&[("de", "bye = Tschüss"), ("pt-BR", "bye = Tchau")]);
    let check = |wishes: &str, tag: &str| assert_eq!(spoken.choose(&Wishes::of(None, "", Some(wishes))).as_str(), tag);
    check("de", "de");
    check("de-CH-1901, en", "de");
    check("pt-BR", "pt-BR");
    check("pt-PT", "en");
    check("fr, de;q=0.5", "de");
    check("en, de", "en");
    check("", "en");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let wrong = |source: &str| Catalogue::parse(&Language::english(), source).unwrap_err().mistakes;
    let lines = |source: &str| wrong(source).iter().map(|mistake| mistake.line).collect::<Vec<_>>();
    assert_eq!(lines("a = A\nb = { $x\nc = C\n"), [2]);
    assert_eq!(lines("a = A\n\ng@rbage\n"), [3]);
    assert_eq!(lines("a = A\na = B\n"), [1]);
    assert_eq!(lines("a =\n    .label = x\n"), [1]);
    assert!(wrong(&"# x\n".repeat(300_000))[0].what.contains("at most"));
}

#[test]
fn what_is_odd_about_a_catalogue_is_told() {
    let english = catalogue("en", ENGLISH);
    let odd = catalogue("de", "hello = Hallo { $nome }\nhola = Hola\nbye = { hello }").oddities(&english);
    assert_eq!(odd, [Oddity::Variable("hello".to_owned(), "nome".to_owned()), Oddity::Unknown("hola".to_owned())]);
}

/// Invisible marks would be copied with an address, and the copy would not work.
#[test]
fn addresses_can_be_copied_out_of_a_text_in_a_language_that_runs_as_they_do() {
    let spoken = languages(&[("de", "hello = Hallo { $name }"), ("he", "hello = שלום { $name }")]);
    assert_eq!(hello(&spoken, "de", "ann@acme.com"), "Hallo ann@acme.com");
    assert_eq!(hello(&spoken, "he", "ann@acme.com"), "שלום \u{2068}ann@acme.com\u{2069}");
    let hebrew = spoken.speaker(&Language::parse("he").unwrap());
    assert_eq!((hebrew.tag(), hebrew.direction()), ("he", "rtl"));
    assert_eq!(
        hello(&spoken, "de", "a\u{202e}b"),
        "Hallo ab".replace("ab", &crate::kernel::values::legible("a\u{202e}b"))
    );
}

#[test]
fn a_fact_is_never_read_as_part_of_a_message() {
    let spoken = languages(&[]);
    assert_eq!(hello(&spoken, "en", "{ bye } { $name }"), "Hello { bye } { $name }");
    let sized = |count| spoken.speaker(&Language::english()).bytes(count).unwrap();
    assert_eq!((sized(1).as_str(), sized(17).as_str()), ("1 byte", "17 bytes"));
}
