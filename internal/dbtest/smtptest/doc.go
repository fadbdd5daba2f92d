// Package smtptest tests adapters/smtp against a real mail server that can
// fail: what arrives, what is told of each fault, and that signatures hold.
package smtptest
