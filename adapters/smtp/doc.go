// Package smtp sends notices by e-mail: a [dsr.Notifier] over any server that
// takes mail for submission, with TLS, authentication, text and HTML parts, and
// room for a DKIM signature.
//
//	notifier, err := smtp.New(&smtp.Options{
//		Host: "mail.example.com", Username: "privacy", Password: password,
//		From:      mail.Address{Name: "Privacy desk", Address: "privacy@example.com"},
//		Operators: []string{"desk@example.com"},
//	})
//
// Each recipient gets a message of their own, so that nobody sees the address
// of another. docs/mail.md says which headers a message has, what is tried
// again and what is not, and what to set up in the DNS.
//
// No error quotes an address, a text, or what the server said: of that it keeps
// the reply code and the enhanced status code (RFC 3463).
package smtp
