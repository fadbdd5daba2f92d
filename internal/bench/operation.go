package bench

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Operation is a call of the API that is measured. What stands for {id} in path
// and body is the ID of a request, for {n} the number of a person, or of a new
// request.
type Operation struct {
	Name, Method, Path, Body string
	// Makes says that each call makes a request.
	Makes bool
	// Crowd says that it is about any of the many requests, not about one that
	// came through the API.
	Crowd bool
	// Same says that a Bare plays it about the same request each time, since a
	// statement names a time of that request.
	Same bool
	// Holds is what every answer holds.
	Holds string
}

// PersonNumber begins the numbers of those who asked before a load; after it
// comes their place in the cast.
const PersonNumber = "p"

// LoadPerson is the e-mail address of a person who asked through the API.
func LoadPerson(number string) string { return "load-" + number + "@example.com" }

// LoadExternal is the external ID of a request that came through the API.
func LoadExternal(number string) string { return "load-" + number }

// Operations are those of BenchmarkServer.
func Operations() []Operation {
	const at = "/api/v1/privacy-request"
	return []Operation{
		{
			Name: "create", Method: http.MethodPost, Path: at, Makes: true, Holds: `"failed":[]`,
			Body: `[{"policy_key":"demo_access","external_id":"` + LoadExternal("{n}") + `","identities":[{"email":"` + LoadPerson("{n}") + `"}]}]`,
		},
		{Name: "get", Method: http.MethodGet, Path: at + "/{id}", Holds: `"id":"pri_`},
		{Name: "get, any", Method: http.MethodGet, Path: at + "/{id}", Crowd: true, Holds: `"id":"`},
		{Name: "log", Method: http.MethodGet, Path: at + "/{id}/log?page=1&size=50", Holds: `"items":[{`},
		{Name: "request_id=", Same: true, Method: http.MethodGet, Path: at + "?request_id={id}&page=1&size=50", Holds: `"total":1,`},
		{Name: "list", Method: http.MethodGet, Path: at + "?page=1&size=50", Holds: `"items":[{`},
		{Name: "list, status", Method: http.MethodGet, Path: at + "?status=error&page=1&size=50", Holds: `"items":[{`},
		{
			Name: "search, identity", Method: http.MethodPost, Path: at + "/search?page=1&size=50", Holds: `"total":1,`,
			Body: `{"identities":{"email":"` + LoadPerson("{n}") + `"}}`,
		},
	}
}

// about says whether a call is about somebody.
func (o *Operation) about() bool {
	return strings.Contains(o.Path+o.Body, "{id}") || strings.Contains(o.Body, "{n}")
}

// Target returns path and body of a call.
func (o *Operation) Target(id, number string) (path, body string) {
	fill := strings.NewReplacer("{id}", id, "{n}", number)
	return fill.Replace(o.Path), fill.Replace(o.Body)
}

// Render writes a call as it goes over the wire. A bare handler gets the number
// as well, so that it need not look for it.
func (o *Operation) Render(w io.Writer, token, id, number string) {
	path, body := o.Target(id, number)
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nX-Operation: %s\r\nX-Number: %s\r\n", o.Method, path, token, o.Name, number)
	if body != "" {
		fmt.Fprintf(w, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	_, _ = io.WriteString(w, "\r\n"+body)
}
