// Package webhook sends notices and calls hooks over HTTP, and is the other
// side of both: it verifies, decodes and answers them. It speaks Standard
// Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md), for which there are libraries in many languages.
//
// A [Client] is a [dsr.Notifier] and a [dsr.Hook]. A [Verifier] is the
// receiver's: it needs nothing of an engine, [DecodeEvent] reads notices and
// [DecodeCall] hooks.
//
// docs/webhooks.md is the guide for both sides.
package webhook
