//! The rules. Forms of keys and tokens are those their makers publish; no rule of another program was copied.

use super::FindingKind;
use super::checks::{self, Found};

/// Something to look for.
pub(super) struct Rule {
    /// Names it in traces.
    pub(super) name: &'static str,
    pub(super) kind: FindingKind,
    pub(super) pattern: &'static str,
    /// How many bytes of what the pattern found are it indeed; `None`: it is something else.
    pub(super) holds: fn(&Found<'_>) -> Option<usize>,
}

const fn secret(name: &'static str, pattern: &'static str, holds: fn(&Found<'_>) -> Option<usize>) -> Rule {
    Rule {
        name,
        kind: FindingKind::Secret,
        pattern,
        holds,
    }
}

const fn personal(name: &'static str, pattern: &'static str, holds: fn(&Found<'_>) -> Option<usize>) -> Rule {
    Rule {
        name,
        kind: FindingKind::Personal,
        pattern,
        holds,
    }
}

const fn injection(
    name: &'static str,
    pattern: &'static str,
    holds: fn(&Found<'_>) -> Option<usize>,
) -> Rule {
    Rule {
        name,
        kind: FindingKind::Injection,
        pattern,
        holds,
    }
}

/// All of them.
pub(super) const RULES: &[Rule] = &[
    secret(
        "private_key",
        r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        checks::always,
    ),
    secret("aws_access_key", r"(?:AKIA|ASIA)[A-Z0-9]{16}", checks::alone),
    secret(
        "aws_secret_key",
        r#"(?i:aws[a-z_ -]*secret[a-z_ -]*)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?[A-Za-z0-9/+]{40}"#,
        checks::random_tail,
    ),
    secret(
        "github_token",
        r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}",
        checks::alone,
    ),
    secret("gitlab_token", r"glpat-[A-Za-z0-9_-]{20,}", checks::random),
    secret(
        "model_api_key",
        r"sk-(?:ant-|proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}",
        checks::random,
    ),
    secret("google_api_key", r"AIza[0-9A-Za-z_-]{35}", checks::alone),
    secret("slack_token", r"xox[abeprs]-[0-9A-Za-z-]{20,}", checks::alone),
    secret(
        "slack_webhook",
        r"https://hooks\.slack\.com/services/T[0-9A-Z]{6,}/B[0-9A-Z]{6,}/[0-9A-Za-z]{20,}",
        checks::always,
    ),
    secret("stripe_key", r"[rs]k_live_[0-9A-Za-z]{20,}", checks::alone),
    secret("hugging_face_token", r"hf_[A-Za-z]{34}", checks::alone),
    secret("npm_token", r"npm_[A-Za-z0-9]{36}", checks::alone),
    secret(
        "pypi_token",
        r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
        checks::always,
    ),
    secret(
        "sendgrid_key",
        r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        checks::alone,
    ),
    secret("goblin_key", r"gbl_tier_[0-9A-Za-z]{57}", checks::alone),
    secret(
        "jwt",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}",
        checks::alone,
    ),
    secret(
        "password_in_url",
        r"(?i:postgres|postgresql|mysql|mariadb|mongodb|mongodb\+srv|redis|rediss|amqp|amqps|https|http|ftp|smtp)://[A-Za-z0-9._%+-]+:[^\s:/@]{6,}@[A-Za-z0-9]",
        checks::password_in_url,
    ),
    secret(
        "assigned_secret",
        r#"(?i:password|passwd|secret|api[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)["']?[ \t]{0,4}[:=][ \t]{0,4}["'][^\s"']{16,}["']"#,
        checks::random_value,
    ),
    personal(
        "email",
        r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}",
        checks::mailbox,
    ),
    personal(
        "phone",
        r"\+[1-9][0-9]{0,3}(?:[ ./-]{0,2}\(?[0-9]{1,5}\)?){1,8}[ ./-]?[0-9]{1,5}",
        checks::international_number,
    ),
    personal(
        "phone_us",
        r"(?:\([0-9]{3}\) ?|[0-9]{3}[-.])[0-9]{3}[-.][0-9]{4}",
        checks::north_american_number,
    ),
    personal(
        "iban",
        r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
        checks::iban,
    ),
    personal(
        "card",
        r"[2-6][0-9]{12,18}|[2-6][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|3[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}",
        checks::card,
    ),
    personal("us_ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", checks::us_ssn),
    injection(
        "ignore_instructions",
        r"(?i:ignore|disregard|forget|override|bypass)\s+(?i:all\s+|any\s+|every\s+|the\s+|of\s+|your\s+|my\s+|these\s+|those\s+|previous\s+|prior\s+|above\s+|earlier\s+|preceding\s+|former\s+|other\s+){1,5}(?i:instructions?|prompts?|rules|directions?|guidelines|commands|constraints|programming)",
        checks::always,
    ),
    injection(
        "ignore_the_above",
        r"(?i:ignore|disregard|forget)\s+(?i:everything|all|anything)\s+(?i:above|before|you were told|you have been told|said before|that came before)",
        checks::always,
    ),
    injection(
        "show_instructions",
        r"(?i:reveal|print|show|repeat|output|display|tell|give|leak|dump)\s+(?i:me\s+|us\s+)?(?i:verbatim\s+|all\s+|out\s+)?(?i:your|the)\s+(?i:full\s+|entire\s+|exact\s+|original\s+|initial\s+|hidden\s+|secret\s+)*(?i:system\s+prompt|system\s+message|system\s+instructions|developer\s+message|initial\s+prompt|hidden\s+instructions|secret\s+instructions)",
        checks::always,
    ),
    injection(
        "other_persona",
        r"(?i:you\s+are\s+now|act\s+as|pretend\s+to\s+be|enter|enable|switch\s+to)\s+(?i:a\s+|an\s+|the\s+|in\s+|into\s+)*(?i:dan\b|do\s+anything\s+now|jailbroken|unrestricted|uncensored|developer\s+mode|god\s+mode|dan\s+mode|jailbreak\s+mode)",
        checks::always,
    ),
    injection(
        "no_rules",
        r"(?i:you\s+have\s+no|without\s+any|free\s+from\s+all|not\s+bound\s+by\s+any|no\s+longer\s+bound\s+by)\s+(?i:more\s+|ethical\s+|moral\s+|safety\s+|content\s+|of\s+your\s+)*(?i:restrictions?|limitations?|guidelines|rules|filters?|policies)\s+(?i:now|anymore|any\s+more|from\s+now|and\s+(?:must|will)|so\s+you)",
        checks::always,
    ),
    injection(
        "forged_turn",
        r"<\|(?:im_start|im_end|start_header_id|eot_id|system|assistant|endoftext)\|>|<start_of_turn>|<end_of_turn>|\[/?INST\]|<</?SYS>>",
        checks::always,
    ),
    injection(
        "hidden_letters",
        r"[\u{E0020}-\u{E007E}]{4,}",
        checks::hidden_letters,
    ),
    injection(
        "ignore_instructions_de",
        r"(?i:ignoriere?|missachte|vergiss|umgehe)\s+(?i:bitte\s+|alle\s+|alles\s+|deine\s+|die\s+|sämtliche\s+|bisherigen\s+|vorherigen\s+|obigen\s+|vorigen\s+|früheren\s+|vorangegangenen\s+){1,4}(?i:anweisungen|instruktionen|regeln|vorgaben|befehle|richtlinien)",
        checks::always,
    ),
    injection(
        "ignore_instructions_fr",
        r"(?i:ignore[rz]?|oublie[rz]?|néglige[rz]?)\s+(?i:toutes?\s+|tous\s+|les\s+|tes\s+|vos\s+|ces\s+|précédentes\s+){1,4}(?i:instructions?|consignes?|règles|directives?)",
        checks::always,
    ),
    injection(
        "ignore_instructions_es",
        r"(?i:ignora|ignore|ignorar|olvida|olvide|olvidar|omite)\s+(?i:todas?\s+|todos\s+|las\s+|los\s+|tus\s+|sus\s+|estas\s+|anteriores\s+|previas\s+){1,4}(?i:instrucciones|reglas|órdenes|indicaciones|directrices)",
        checks::always,
    ),
    injection(
        "ignore_instructions_it",
        r"(?i:ignora|ignorare|ignorate|dimentica|dimenticare|trascura)\s+(?i:tutte\s+|tutti\s+|le\s+|i\s+|gli\s+|tue\s+|precedenti\s+){1,4}(?i:istruzioni|regole|indicazioni|direttive|comandi)",
        checks::always,
    ),
    injection(
        "ignore_instructions_pt",
        r"(?i:ignore|ignora|ignorar|esqueça|esquece|desconsidere)\s+(?i:todas\s+|todos\s+|as\s+|os\s+|suas\s+|tuas\s+|anteriores\s+){1,4}(?i:instruções|regras|diretrizes|ordens|orientações)",
        checks::always,
    ),
    injection(
        "ignore_instructions_nl",
        r"(?i:negeer|vergeet)\s+(?i:alle\s+|al\s+|je\s+|jouw\s+|de\s+|eerdere\s+|vorige\s+|voorgaande\s+|bovenstaande\s+){1,4}(?i:instructies|regels|aanwijzingen|opdrachten|richtlijnen)",
        checks::always,
    ),
    injection(
        "ignore_instructions_pl",
        r"(?i:zignoruj|ignoruj|zapomnij|pomiń)\s+(?i:o\s+|wszystkie\s+|wszystkich\s+|swoje\s+|twoje\s+|poprzednie\s+|poprzednich\s+|powyższe\s+|wcześniejsze\s+){1,4}(?i:instrukcje|instrukcjach|polecenia|poleceniach|zasady|zasadach|reguły)",
        checks::always,
    ),
    injection(
        "ignore_instructions_ru",
        r"(?i:игнорируй|игнорируйте|проигнорируй|забудь|забудьте)\s+(?i:про\s+|обо?\s+|все\s+|всех\s+|свои\s+|твои\s+|предыдущие\s+|предыдущих\s+|прежние\s+){1,4}(?i:инструкции|инструкциях|указания|правила|команды)",
        checks::always,
    ),
    injection(
        "ignore_instructions_tr",
        r"(?i:önceki|yukarıdaki|tüm|bütün)\s+(?i:önceki\s+|tüm\s+|bütün\s+)*(?i:talimatları|kuralları|yönergeleri|komutları)\s+(?i:unut|yok\s+say|görmezden\s+gel|dikkate\s+alma)",
        checks::always,
    ),
    injection(
        "ignore_instructions_zh",
        r"(?:忽略|无视|忘记|忘掉|忽視|無視|不要理会)(?:你)?(?:之前|以上|前面|上面|先前|此前|所有|全部|一切|的){1,4}(?:指令|指示|提示|规则|規則|说明|命令|要求|设定)",
        checks::always,
    ),
    injection(
        "ignore_instructions_ja",
        r"(?:これまで|以前|上記|前|先ほど|すべて|全て)の(?:すべての|全ての|)(?:指示|命令|ルール|プロンプト|指令)(?:を|は)(?:すべて|全て|)(?:無視|忘れ)",
        checks::always,
    ),
    injection(
        "ignore_instructions_ko",
        r"(?:이전|위의|앞의|지금까지의|기존)\s?(?:모든\s)?(?:지시|지침|명령|규칙|프롬프트)(?:사항)?(?:을|를|은|는)?\s?(?:모두\s|전부\s)?(?:무시|잊어)",
        checks::always,
    ),
    injection(
        "ignore_instructions_ar",
        r"(?:تجاهل|انس|أهمل)\s+(?:كل\s+|جميع\s+)?(?:التعليمات|الأوامر|القواعد|الإرشادات|تعليماتك)",
        checks::always,
    ),
    injection(
        "ignore_instructions_hi",
        r"(?:पिछले|पहले के|ऊपर के|सभी)\s+(?:सभी\s+)?(?:निर्देशों|नियमों|आदेशों)\s+को\s+(?:अनदेखा|नज़रअंदाज़|भूल)",
        checks::always,
    ),
];
