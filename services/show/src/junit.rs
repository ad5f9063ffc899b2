//! JUnit's XML, which CI systems show as tests. There is no schema of its authors; these are the elements that all readers know.

use parsec_measure::is_harmful;

/// One case, and what is wrong with it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// What became of a case.
pub(crate) enum Outcome {
    Passed,
    /// It failed, for this reason.
    Failed(String),
    /// Nobody can say, for this reason: neither a pass nor a failure, and no reason to skip it.
    Undecided(String),
}

/// A document of one suite.
pub(crate) fn document(suite: &str, cases: &[Case]) -> String {
    let count = |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let errors = count(|outcome| matches!(outcome, Outcome::Undecided(_)));
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", cases.len());
    let suite = escaped(suite);
    let cases: String = cases.iter().map(|case| self::case(&suite, case)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{suite}\" {counts}>\n{cases}  \
         </testsuite>\n</testsuites>\n"
    )
}

fn case(suite: &str, Case { name, outcome }: &Case) -> String {
    let head = format!("    <testcase classname=\"{suite}\" name=\"{}\"", escaped(name));
    let inside = |element: &str, kind: &str, why: &str| {
        let why = escaped(why);
        format!("{head}>\n      <{element} type=\"{kind}\" message=\"{why}\">{why}</{element}>\n    </testcase>\n")
    };
    match outcome {
        Outcome::Passed => format!("{head}/>\n"),
        Outcome::Failed(why) => inside("failure", "crossed", why),
        Outcome::Undecided(why) => inside("error", "inconclusive", why),
    }
}

/// As text or as the value of an attribute. XML has no way at all to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            c if is_harmful(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_document_has_what_all_readers_know() {
        let case = |name: &str, outcome| Case { name: name.to_owned(), outcome };
        let cases = [
            case("provide.p50 > 2s", Outcome::Passed),
            case("failures > 1%", Outcome::Failed("5 %".to_owned())),
            case("provide.p99 > 9s", Outcome::Undecided("too few".to_owned())),
        ];
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="1">
  <testsuite name="parsec check" tests="3" failures="1" errors="1">
    <testcase classname="parsec check" name="provide.p50 &gt; 2s"/>
    <testcase classname="parsec check" name="failures &gt; 1%">
      <failure type="crossed" message="5 %">5 %</failure>
    </testcase>
    <testcase classname="parsec check" name="provide.p99 &gt; 9s">
      <error type="inconclusive" message="too few">too few</error>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(document("parsec check", &cases), expected);
    }

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        let text = "a<b>&\"c\"'d'\u{1b}[31m\n\u{0}\u{ffff}é";
        assert_eq!(escaped(text), "a&lt;b&gt;&amp;&quot;c&quot;&apos;d&apos;\u{fffd}[31m&#10;\u{fffd}\u{fffd}é");
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_the_document_keeps_its_shape(name in any::<String>(), why in any::<String>()) {
            let document = document("suite", &[Case { name, outcome: Outcome::Failed(why) }]);
            // Two elements that stay open, one case, one failure: nothing of the texts opens or closes another.
            prop_assert_eq!(document.matches('<').count(), 9, "{}", document);
            prop_assert_eq!(document.matches('>').count(), 9, "{}", document);
            prop_assert!(document.chars().all(|c| c == '\n' || !c.is_control()), "{}", document);
        }
    }
}
