package openapitest

import "strings"

// hostile are texts that have broken programs: each is one string of JSON or
// one value of a parameter. Some are no UTF-8.
func hostile() []string {
	return []string{
		"", " ", "\t", "\x00", "a\x00b", "\x7f", "\x1b[31m", "\r\nX-Injected: 1", "a\nb",
		"'", `"`, `\`, "`", "' OR '1'='1", `"; DROP TABLE users; --`, "') UNION SELECT NULL--", "%", "%s%s%n", "_", "*",
		"{{7*7}}", "${jndi:ldap://x.invalid/a}", "<script>alert(1)</script>", "$(id)", "| id", "=1+1",
		".", "..", "../../etc/passwd", "..%2f..%2f", "%2f", "%2e%2e", "/", "//", `..\..\`, "a/b", "a?b", "a#b", ";a=b", "%00", "%zz",
		"é", "e\u0301", "ß", "İ", "ﬀ", "日本語", "\u202eabc", "مرحبا", "\u200b", "\ufeff", "\U0001F469\u200D\U0001F469\u200D\U0001F466", "\U0010FFFF", "\u2028", "\uFFFD", "Z" + strings.Repeat("\u0334", 80),
		"\xff", "\xc3\x28", "\xed\xa0\x80", "a\x80",
		"null", "undefined", "true", "NaN", "Infinity", "-0", "0", "-1", "1e999", "0x10", "9223372036854775808", "99999999999999999999999", "00000000-0000-0000-0000-000000000000", "{}", "[]",
		"0000-00-00", "2023-02-30T00:00:00Z", "9999-12-31T23:59:60Z", "2024-01-01T00:00:00+99:99",
		strings.Repeat("a", 256), strings.Repeat("a", 5000), strings.Repeat("\U0001F600", 1000),
	}
}

// numbers are numbers of JSON that have broken programs.
func numbers() []string {
	return []string{
		"0", "-0", "-1", "1", "0.1", "1.0", "1e0", "1E+2", "2147483648", "-2147483649", "4294967296", "9007199254740993",
		"9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
		"1e308", "1e309", "-1e309", "1e-400", "1e999999999", "0." + strings.Repeat("0", 400) + "1", strings.Repeat("9", 400),
	}
}
