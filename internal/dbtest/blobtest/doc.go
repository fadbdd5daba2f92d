// Package blobtest tests adapters/blob against a real server that speaks S3:
// uploads that are cut off, links, memory, and whole requests.
package blobtest
