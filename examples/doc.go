// Package examples holds programs that use dsr:
//
//   - quickstart: one person, two SQLite files, from the plan to the proof;
//   - embed: an HTTP service that answers data subject requests in its own
//     process;
//   - customconnector: a connector of one's own, over a service that is no
//     database.
package examples
