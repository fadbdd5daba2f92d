// Package examples holds programs that use dsr:
//
//   - quickstart: one person, two SQLite files, from the plan to the proof;
//   - server: the HTTP API of Fides in one process, with a demo shop;
//   - embed: an HTTP service that answers data subject requests in its own
//     process;
//   - customconnector: a connector of one's own, over a service that is no
//     database.
package examples
