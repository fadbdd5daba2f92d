// Package pagetest reads HTML packages back, and holds the tests that open them
// in a real Chromium: started by the tests, from the machine's own binary,
// without a network.
package pagetest
