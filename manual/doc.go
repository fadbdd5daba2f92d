// Package manual makes people a source of data: forms that they fill in for a
// privacy request, what they uploaded, what is still missing, and conditions
// on what is known so far.
//
// A form stands outside of the data map. While an enabled [Form] that asks for
// the request's action has no complete [Upload], the request waits; what was
// uploaded is then handed over as it is, under the form's key. The package is
// pure: it neither stores nor sends anything, and knows no clock.
//
// Names on the wire, texts of refusals and the rules behind them are those of
// Fides, so that its clients need no change; where a rule differs, its comment
// says so.
package manual
