//! Processes that behave badly: each costs one answer and nothing else. Shell scripts stand in for a verifier that was taken over.

use super::*;

/// Says that it is ready.
const READY: &str = r#"printf '\000\000\000\007"Ready"'; "#;
/// Reads the head of a request and answers it.
const ANSWERS: &str = r#"/usr/bin/head -c 4 >/dev/null; printf '\000\000\000\017{"Refused":"x"}'; exec /bin/sleep 600"#;

fn opinions(script: &str, argument: &str) -> Arc<Opinions> {
    let arguments = ["-c", script, "sh", argument].map(str::to_owned).to_vec();
    Arc::new(Opinions::of(Some(Program { path: "/bin/sh".into(), arguments }), Clock::system()))
}

async fn ask(opinions: &Arc<Opinions>, draw: u8) -> Result<Asked, Missing> {
    opinions.ask("<a/>".to_owned(), vec![vec![0; 1_000]], draw).await
}

/// The first process does this when it is asked, the second one answers.
async fn first(does: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mark = folder.path().join("first").display().to_string();
    let script = format!(r#"{READY} if [ -e "$1" ]; then {ANSWERS}; fi; : >"$1"; {does}"#);
    let opinions = opinions(&script, &mark);
    let Missing(why) = ask(&opinions, 0).await.expect_err("the first answers nothing that counts");
    let second = ask(&opinions, 0).await;
    assert!(matches!(&second, Ok(Asked::Refused(why)) if why == "x"), "{does}: {second:?}");
    why
}

#[tokio::test]
async fn h11_a_process_that_fails_costs_one_answer_and_the_next_one_works() {
    let head = "/usr/bin/head -c 4 >/dev/null; ";
    for (does, why) in [
        (format!("{head} exit 1"), "it ended"),
        (format!("{head} kill -9 $$"), "it ended"),
        (format!("{head} kill -SEGV $$"), "it ended"),
        (format!("{head} exec /bin/sleep 600"), "it did not answer within 2s"),
        // It does not even read.
        ("exec /bin/sleep 600".to_owned(), "it did not answer within 2s"),
        (format!(r#"{head} printf '\000\000\000\004true'; exec /bin/sleep 600"#), "what it says has no meaning"),
        (format!(r#"{head} printf '\377\377\377\377'; exec /bin/sleep 600"#), "it says too much"),
        (format!(r#"{head} exec /bin/cat /dev/zero"#), "it said more than one answer"),
    ] {
        let told = first(&does).await;
        assert!(told.starts_with(why), "{does}: {told}");
    }
}

#[tokio::test]
async fn h11_an_answer_before_the_question_is_none() {
    // Of a process that is kept: it answered once, and goes on talking.
    let talks = format!(
        r#"{READY} /usr/bin/head -c 4 >/dev/null; printf '\000\000\000\017{{"Refused":"x"}}'; /bin/sleep 0.1; printf '\000\000\000\017{{"Refused":"y"}}'; exec /bin/sleep 600"#
    );
    let opinions = opinions(&talks, "");
    for _ in 0..2 {
        let answer = ask(&opinions, 0).await;
        assert!(matches!(&answer, Ok(Asked::Refused(why)) if why == "x"), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

#[tokio::test]
async fn h11_without_a_sandbox_nobody_is_asked_and_without_a_program_neither() {
    let none = opinions(r#"printf '\000\000\000\020{"NoSandbox":""}'"#, "");
    assert!(matches!(ask(&none, 0).await, Ok(Asked::Nobody)));
    let not_built = Arc::new(Opinions::of(None, Clock::system()));
    assert!(matches!(ask(&not_built, 0).await, Ok(Asked::Nobody)));
    // Another fault at the start is no reason to do without: the login is refused.
    for script in ["exit 1", r#"printf '\000\000\000\015{"Broken":""}'"#, "printf 'nonsense of any kind'"] {
        assert!(ask(&opinions(script, ""), 0).await.is_err(), "{script}");
    }
    // Nor does a process do away with the others that had a sandbox.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mark = folder.path().join("first").display().to_string();
    let script =
        format!(r#"if [ -e "$1" ]; then printf '\000\000\000\020{{"NoSandbox":""}}'; exit; fi; : >"$1"; {READY} exit"#);
    let later = opinions(&script, &mark);
    assert!(ask(&later, 0).await.is_err());
    assert!(ask(&later, 0).await.is_err(), "a sandbox that was there is there");
}

#[tokio::test]
async fn which_logins_are_shown_is_as_configured() {
    let opinions = opinions(&format!("{READY} {ANSWERS}"), "");
    for (level, draw, asked) in [
        (SecondOpinion::All, 1, true),
        (SecondOpinion::Sample, 16, true),
        (SecondOpinion::Sample, 17, false),
        (SecondOpinion::Off, 0, false),
    ] {
        opinions.set(level);
        let answer = ask(&opinions, draw).await;
        assert_eq!(matches!(answer, Ok(Asked::Refused(_))), asked, "{level:?} {draw}: {answer:?}");
        opinions.idle.lock().expect("nobody panicked").clear();
    }
}
