// Package oauthtest tests the records of OAuth clients and tokens in the durable
// stores. It lies beside what starts a server, so that hosts of neither need
// require the other.
package oauthtest
