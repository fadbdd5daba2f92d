package fides_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestNamesOfConnectionsAreUnique(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"a","name":"Archive","connection_type":"postgres","access":"write"},{"key":"b","connection_type":"postgres","access":"write"},{"key":"c","connection_type":"postgres","access":"write"}]`)
	failed := func(message, data string) string {
		return `{"succeeded":[],"failed":[{"message":"` + message + `","data":` + data + `}]}`
	}
	for _, n := range []struct{ key, name string }{{"d", "Archive"}, {"b", "Archive"}, {"d", "shop"}} { // a new one, a rename, the host's
		item := `{"access":"write","connection_type":"postgres","key":"` + n.key + `","name":"` + n.name + `"}`
		c.wants(t, ok, failed("Name "+n.name+" already exists in ConnectionConfig.", item), "PATCH", "/connection", `[`+item+`]`)
	}
	twice := c.send(t, c.token, "PATCH", "/api/v1/connection", `[{"key":"e","name":"Twice","connection_type":"postgres","access":"write"},{"key":"f","name":"Twice","connection_type":"postgres","access":"write"}]`).Body
	require.Contains(t, twice, `"failed":[{"message":"Name Twice already exists in ConnectionConfig.","data":{"access":"write","connection_type":"postgres","key":"f","name":"Twice"}}]`)
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.Contains(t, defs.Connections, "e")
	require.NotContains(t, defs.Connections, "f")
	require.NotContains(t, defs.Connections, "d")
	require.Empty(t, defs.Connections["b"].Name)

	c.does(t, "PATCH", "/connection", `[{"key":"a","name":"Archive","connection_type":"postgres","access":"read"}]`) // its own
	c.does(t, "PATCH", "/connection", `[{"key":"a","name":"Cellar","connection_type":"postgres","access":"read"},{"key":"b","name":"Archive","connection_type":"postgres","access":"read"}]`)
}

func TestAFormIsRenamedWithItsConnection(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	rename := func(name string) string {
		c.does(t, "PATCH", "/connection", `[{"key":"desk","name":"`+name+`","connection_type":"manual_webhook","access":"write"}]`)
		defs, err := k.engine.Catalogue().Read(t.Context())
		require.NoError(t, err)
		if defs.Forms["desk"] == nil {
			return ""
		}
		return defs.Forms["desk"].Name
	}
	rename("Help desk")
	c.does(t, "POST", "/connection/desk/access_manual_webhook", `{"fields":[{"pii_field":"Notes"}]}`)
	require.Equal(t, "Service desk", rename(" Service desk "))
	require.Equal(t, "Front desk", rename("Front desk"))
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Forms["desk"].Name = "What the host calls it"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "What the host calls it", rename("Back desk"))
}
