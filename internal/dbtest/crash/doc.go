// Package crash holds the tests that kill an erasure over two databases and
// see what it comes to when it is taken up again. It has no other code.
package crash
