// Package outage tests that requests survive their surroundings: servers that
// go away, disks that fill up, connections that hang. They wait, tell why, and
// go on by themselves.
package outage
