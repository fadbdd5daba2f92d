package fides_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/manualtask"
	"github.com/godsr/dsr/adapters/memory"
)

// mendedDesk is an office with an archive, and a shelf whose dataset refers to
// what people answer there.
func mendedDesk(t *testing.T) *caller {
	t.Helper()
	k, _ := office(t, func(k *desk) {
		k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType()
		k.config.ConnectionTypes["shelf"] = dsr.ConnectionType{Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) {
			return memory.NewConnector(map[string][]map[string]any{"scans": {}}, nil), nil
		}}
	})
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"name":"Paper archive","key":"paper","connection_type":"manual_task","access":"write"},{"key":"shelf","connection_type":"shelf","access":"write"}]`)
	c.does(t, "POST", definedField, definedFound)
	c.does(t, "POST", definedField, definedNote)
	a := c.does(t, "PATCH", "/connection/shelf/dataset", `[{"fides_key":"shelf","collections":[{"name":"scans","fields":[
		{"name":"number","fides_meta":{"references":[{"dataset":"paper","field":"manual_data.found","direction":"from"}]}}]}]}]`)
	require.Contains(t, a, `"warnings":[]`)
	return c
}

// A change after which no request could be carried out is refused, since its
// answer could not warn.
func TestWhatOtherDatasetsReferToStaysInATask(t *testing.T) {
	t.Parallel()
	c := mendedDesk(t)
	const all = ", since no request could be carried out any more: shelf:scans.number: refers to "
	const task = "The manual task of connection 'paper' cannot be changed like this" + all
	c.wants(t, 409, detail(task+"paper.manual_data.found: the collection has no such field"), "DELETE", definedField+"/found", nil)
	c.wants(t, 409, detail("Connection 'paper' cannot be deleted"+all+`dataset \"paper\", which is not in the data map; add it or remove the reference`), "DELETE", "/connection/paper", nil)
	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "access").Status)

	// What is not referred to goes, and what was amiss before is no reason.
	c.wants(t, 204, ``, "DELETE", definedField+"/what_the_file_says", nil)
	c.wants(t, 409, detail(task+`dataset \"paper\", which is not in the data map; add it or remove the reference`), "DELETE", definedField+"/found", nil)
	c.does(t, "PUT", definedField+"/found", `{"label":"Is it there","field_type":"text","request_type":"access"}`)
	require.Contains(t, c.does(t, "PATCH", "/connection/shelf/dataset", `[{"fides_key":"shelf","collections":[{"name":"scans","fields":[
		{"name":"number","fides_meta":{"references":[{"dataset":"gone","field":"a.b","direction":"from"}]}}]}]}]`), `"action":"unusable"`)
	c.does(t, "POST", definedField, definedNote)
	c.wants(t, 204, ``, "DELETE", definedField+"/found", nil)
}

func TestPeopleAreNoPartOfACycle(t *testing.T) {
	t.Parallel()
	c := mendedDesk(t)
	c.wants(t, 409, detail("The manual task of connection 'paper' cannot be changed like this, since no request could be carried out any more: what people answer cannot be part of a cycle of references"),
		"PUT", definedTask+"/dependency-conditions", `[{"field_address":"shelf:scans:number","operator":"not_exists"}]`)
	c.wants(t, ok, definedShown("", "", "Paper archive", ""), "GET", definedTask, nil)
	require.Equal(t, dsr.StatusRequiresInput, c.process(t, "access").Status)
}

// A host's own type of that name keeps its datasets, if it takes no options or
// they are empty.
func TestATypeOfTheHostsOwnHasItsDatasets(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(*dsr.ConnectionType){
		"no options":    func(of *dsr.ConnectionType) { of.CheckOptions = nil },
		"options of it": func(*dsr.ConnectionType) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, _ := office(t, func(k *desk) {
				of := manualtask.ConnectionType()
				of.Connect = func(dsr.ConnectionSettings) (dsr.Connector, error) { return memory.NewConnector(nil, nil), nil }
				check(&of)
				k.config.ConnectionTypes["manual_task"] = of
			})
			c := k.caller(t)
			c.does(t, "PATCH", "/connection", `[{"key":"paper","connection_type":"manual_task","access":"write"}]`)
			require.Contains(t, c.does(t, "PATCH", "/connection/paper/dataset", `[{"fides_key":"paper","collections":[{"name":"a","fields":[{"name":"b"}]}]}]`), `"failed":[]`)
			a := c.send(t, c.token, "POST", "/api/v1"+definedField, definedFound)
			if name == "no options" {
				a.want(t, 400, detail("Connection 'paper' is of type 'manual_task', whose connections have no manual task."))
			} else {
				a.want(t, 409, detail("Connection 'paper' has datasets already, which no manual task stands for: delete them before it gets one."))
			}
			c.wants(t, 204, ``, "DELETE", "/connection/paper/dataset/paper", nil)
		})
	}
}

func TestTheDatasetOfATaskHasTheNameOfItsConnection(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.does(t, "POST", definedField, definedFound)
	c.does(t, "PATCH", "/connection", `[{"name":"Cellar","key":"paper","connection_type":"manual_task","access":"write"}]`)
	a := c.does(t, "GET", "/connection/paper/dataset/paper", nil)
	require.Contains(t, a, `"name":"Cellar"`)
	require.NotContains(t, a, "Paper archive")
}

// Conditions are looked at for every request.
func TestConditionsAreBounded(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.does(t, "POST", definedField, definedFound)
	leaves := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`{"field_address":"privacy_request.location","operator":"exists","value":null},`, n), ",")
	}
	group := func(n int) string { return `{"logical_operator":"or","conditions":[` + leaves(n) + `]}` }
	const many = `"msg":"Conditions may have 100 comparisons in all"}]}`
	for body, want := range map[string]string{
		group(8000):                                 `{"detail":[{"type":"too_long","loc":["body"],` + many,
		`[` + group(101) + `]`:                      `{"detail":[{"type":"too_long","loc":["body",0],` + many,
		`[` + group(60) + `,` + group(60) + `]`:     `{"detail":[{"type":"too_long","loc":["body"],` + many,
		`{"task_conditions":[` + leaves(101) + `]}`: `{"detail":[{"type":"too_long","loc":["body","task_conditions"],"msg":"List should have at most 100 items"}]}`,
		`{"task_conditions":[` + group(2) + `],"logical_operator":"and","a":1}`: `{"detail":[{"type":"extra_forbidden","loc":["body","a"],"msg":"Extra inputs are not permitted"},{"type":"extra_forbidden","loc":["body","logical_operator"],"msg":"Extra inputs are not permitted"}]}`,
	} {
		c.wants(t, 422, want, "PUT", definedTask+"/dependency-conditions", body)
	}
	c.wants(t, ok, definedShown("", group(100), "Paper archive", ""), "PUT", definedTask+"/dependency-conditions", group(100))
}

func TestWhatPeopleReadIsNotBlank(t *testing.T) {
	t.Parallel()
	c, _ := definedDesk(t)
	c.does(t, "POST", definedField, definedFound)
	const label = `{"detail":[{"type":"value_error","loc":["body","label"],"msg":"Value error, it is blank: nobody would know what is asked for"}]}`
	const title = `{"detail":[{"type":"value_error","loc":["body","title"],"msg":"Value error, it is blank: leave it out for the name of the connection"}]}`
	for _, test := range [][4]string{
		{"POST", definedField, `{"key":"a","label":"   ","field_type":"text","request_type":"access"}`, label},
		{"PUT", definedField + "/found", `{"label":" \t","field_type":"text","request_type":"access"}`, label},
		{"PUT", definedTask, `{"title":"   "}`, title},
		{"POST", strings.Replace(definedTask, "paper", "postgres", 1), `{"title":"   "}`, title},
	} {
		c.wants(t, 422, test[3], test[0], test[1], test[2])
	}
}
