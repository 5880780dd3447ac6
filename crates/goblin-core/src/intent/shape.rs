//! What a text looks like, whatever its words: code, traces of a crash, arithmetic.

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shape {
    /// 0–1: how much of it looks like a program.
    pub(super) code: f64,
    /// A stack trace or a compiler's message.
    pub(super) crash: bool,
    /// An expression or equation to be worked out.
    pub(super) arithmetic: bool,
    /// Numbers in it, 6 at most.
    pub(super) numbers: u32,
    /// Words, roughly; a character of a script without spaces is half a word.
    pub(super) words: u32,
    /// Is there a question mark?
    pub(super) question: bool,
    /// Does it name several things to choose from: `a, b or c`, `a / b / c`?
    pub(super) choices: bool,
    /// Is something in quotation marks, or set apart after a colon?
    pub(super) quoted: bool,
    /// A short question with a text beside it that is not a program.
    pub(super) question_and_text: bool,
}

const CRASHES: [&str; 16] = [
    "traceback (most recent call last)",
    "exception in thread",
    "panicked at",
    "error[e",
    "segmentation fault (core dumped)",
    "nullpointerexception",
    "cannot read properties of undefined",
    "typeerror:",
    "valueerror:",
    "keyerror:",
    "attributeerror:",
    "modulenotfounderror",
    "referenceerror:",
    "syntaxerror:",
    "undefined reference to",
    "unhandled exception",
];

/// Beginnings of lines that hardly occur outside programs.
const STARTS: [&str; 34] = [
    "def ",
    "class ",
    "import ",
    "from ",
    "return ",
    "const ",
    "let ",
    "var ",
    "function ",
    "fn ",
    "pub ",
    "use ",
    "#include",
    "#!/",
    "if (",
    "for (",
    "while (",
    "else {",
    "} else",
    "select ",
    "insert into",
    "create table",
    "update ",
    "public ",
    "private ",
    "package ",
    "func ",
    "struct ",
    "impl ",
    "async ",
    "await ",
    "console.log",
    "print(",
    "@",
];

/// Looks at a text in lower case.
pub(super) fn look(text: &str) -> Shape {
    let mut lines = 0_u32;
    let mut code_lines = 0_u32;
    let mut fenced = false;
    let mut any_fence = false;
    for line in text.lines().take(200) {
        let line = line.trim();
        if line.starts_with("```") {
            fenced = !fenced;
            any_fence = true;
            continue;
        }
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if fenced || is_code(line) {
            code_lines += 1;
        }
    }
    let mut code = f64::from(code_lines) / f64::from(lines.max(1));
    if any_fence && code_lines > 0 {
        code = code.max(0.6);
    }
    if code_lines < 2 && !any_fence {
        code = code.min(0.5);
    }
    let spaced = text.split_whitespace().count();
    let unspaced = text.chars().filter(|c| super::scan::has_no_spaces(*c)).count();
    Shape {
        code,
        crash: CRASHES.iter().any(|mark| text.contains(mark)),
        arithmetic: arithmetic(text),
        numbers: numbers(text),
        words: u32::try_from(spaced + unspaced / 2).unwrap_or(u32::MAX),
        question: text.contains(['?', '？']),
        choices: choices(text),
        quoted: text.contains(['"', '“', '„', '«', '「', '《'])
            || text.contains(": '")
            || text.contains("\n\n"),
        question_and_text: code < 0.3 && question_and_text(text),
    }
}

/// Is there `a, b or c`, or `a / b / c`, in one sentence?
fn choices(text: &str) -> bool {
    const OR: [&str; 9] = [
        " or ",
        " oder ",
        " ou ",
        " o ",
        " of ",
        " или ",
        "还是",
        "或",
        "それとも",
    ];
    text.lines().take(40).any(|line| {
        let slashes = line.matches(" / ").count() >= 2 || line.matches('、').count() >= 2;
        let listed = OR.iter().any(|or| {
            line.match_indices(or).any(|(at, _)| {
                let from = line.ceil_char_boundary(at.saturating_sub(48));
                let before = line.get(from..at).unwrap_or_default();
                before.contains([',', ':', '、', '：', '('])
            })
        });
        slashes || listed
    })
}

/// Paragraphs of which one is a short question and the others are much longer together.
fn question_and_text(text: &str) -> bool {
    let mut asked = 0;
    let mut rest = 0;
    for paragraph in text
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .take(60)
    {
        let length = paragraph
            .chars()
            .map(|c| if super::scan::has_no_spaces(c) { 3 } else { 1 })
            .sum::<usize>();
        if paragraph.contains(['?', '？']) && length < 240 {
            asked += 1;
        } else {
            rest += length;
        }
    }
    asked == 1 && rest >= 90
}

fn is_code(line: &str) -> bool {
    // A hunk of a diff.
    if line.starts_with("@@ -") || line.starts_with("+++ ") || line.starts_with("--- a/") {
        return true;
    }
    let blocks = [
        "if ", "for ", "while ", "elif ", "else:", "try:", "except", "with ", "def ", "class ",
    ];
    if line.ends_with(':') && blocks.iter().any(|word| line.starts_with(word)) && !line.contains(", ") {
        return true;
    }
    let starts = STARTS.iter().any(|start| line.starts_with(start));
    let ends = line.ends_with([';', '{', '}']) || line.ends_with("):") || line.ends_with("=> {");
    let inside = [
        "()", " = ", "==", ".get(", ".post(", ".map(", "self.", "this.", "();", "->", "=>", "::", "!=", "&&",
        "||", "</", "/>", "[]", "\\d", "++", "!(",
    ];
    let marks = inside.iter().filter(|mark| line.contains(**mark)).count();
    // A sentence may begin with "from" or "use"; it has no such marks.
    (starts
        && (ends || marks > 0 || (line.contains(['(', '*', '<', '"']) && !line.ends_with(['.', '?', ',']))))
        || (ends && (marks > 0 || line.len() <= 3))
        || marks > 1
}

/// Is there something like `17 * 23`, `x^2 + 3x = 0`, `12% of 80`?
fn arithmetic(text: &str) -> bool {
    let bytes = text.as_bytes();
    let near = |at: usize, step: isize| {
        let mut at = at.checked_add_signed(step)?;
        while *bytes.get(at)? == b' ' {
            at = at.checked_add_signed(step)?;
        }
        bytes.get(at).copied()
    };
    let term = |byte: Option<u8>| {
        byte.is_some_and(|b| b.is_ascii_digit() || matches!(b, b'x' | b'y' | b'n' | b'(' | b')'))
    };
    let digit = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_digit());
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'*' | b'+' | b'^' | b'=' => {
            let (left, right) = (near(at, -1), near(at, 1));
            term(left) && term(right) && (digit(left) || digit(right))
        }
        b'/' => {
            // A date or a path has no spaces around it.
            near(at, -1) != bytes.get(at.wrapping_sub(1)).copied()
                && digit(near(at, -1))
                && digit(near(at, 1))
        }
        b'%' => {
            digit(near(at, -1))
                && text
                    .get(at + 1..)
                    .is_some_and(|rest| rest.trim_start().starts_with("of "))
        }
        _ => false,
    }) || text.contains(['√', '∫', '∑', '×', '÷'])
}

fn numbers(text: &str) -> u32 {
    let mut count = 0;
    let mut within = false;
    for byte in text.bytes() {
        let digit = byte.is_ascii_digit();
        if digit && !within {
            count += 1;
        }
        within = digit || (within && matches!(byte, b'.' | b',' | b':'));
        if count == 6 {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_seen_without_a_word_about_them() {
        for text in [
            "def add(a, b):\n    return a + b\n",
            "```\nselect * from users\n```",
            "const x = 1;\nconsole.log(x);",
            "fn main() {\n    println!(\"hi\");\n}",
        ] {
            assert!(look(text).code >= 0.5, "{text} {:?}", look(text));
        }
        for text in [
            "from what i hear, use of the word is rare",
            "let me know what you think of it",
            "if (and only if) it rains, we stay in.",
            "return the book to the library",
        ] {
            assert!(look(text).code < 0.5, "{text} {:?}", look(text));
        }
    }

    #[test]
    fn sums_are_seen_and_dates_are_not() {
        for text in ["17 * 23", "x^2 + 3x = 0", "what is 12% of 80?", "5+5", "√2"] {
            assert!(look(text).arithmetic, "{text}");
        }
        for text in [
            "on 3/4/2025",
            "c++ or c",
            "50% off",
            "a+ rating",
            "path/to/2",
            "e = mc",
        ] {
            assert!(!look(text).arithmetic, "{text}");
        }
    }
}
