package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// membersOf lists names and values of an object.
func membersOf(object string) (list []string, err error) {
	err = storage.Members([]byte(object), func(name string, value []byte) error {
		list = append(list, name, string(value))
		return nil
	})
	return list, err
}

func elementsOf(array string) (list []string, err error) {
	err = storage.Elements([]byte(array), func(value []byte) error {
		list = append(list, string(value))
		return nil
	})
	return list, err
}

func TestMembers(t *testing.T) {
	t.Parallel()
	for object, want := range map[string][]string{
		`{}`:                                    nil,
		" \t{ \r\n} ":                           nil,
		`{"a":1}`:                               {"a", "1"},
		`{ "a" : -0.5e+7 , "b" : "x" }`:         {"a", "-0.5e+7", "b", `"x"`},
		`{"":null,"t":true,"f":false}`:          {"", "null", "t", "true", "f", "false"},
		`{"a":{"b":["}",{"c":"\"]"}]},"a":[]}`:  {"a", `{"b":["}",{"c":"\"]"}]}`, "a", "[]"},
		`{"\u0061\n\ud83d\ude00\ud83d\/":"\\"}`: {"a\n😀\ufffd/", `"\\"`},
		`{"é":"\\\""}`:                          {"é", `"\\\""`},
		`{"a":0,"b":0.0,"c":10}`:                {"a", "0", "b", "0.0", "c", "10"},
	} {
		got, err := membersOf(object)
		require.NoError(t, err, object)
		require.Equal(t, want, got, object)
	}
	for _, object := range []string{
		``, ` `, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a" 1}`, `{a:1}`, `{1:1}`,
		`{"a":}`, `{"a":"}`, `{"a":"\"}`, `{"a":[}`, `{"a":{]`, `{"a":1}x`, `{}{}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`,
		`{"a":+1}`, `{"a":=1}`, `{"a":nul}`, `{"a":tru`, `{"a":nope}`, `{"a":NaN}`, `{"a":falsy}`, `{"\x":1}`, `{"\u12":1}`, `{"\u12g4":1}`, `{"\u+123":1}`,
	} {
		_, err := membersOf(object)
		require.ErrorContains(t, err, "storage: a row is not valid JSON", object)
	}
	stop := errors.New("stop")
	require.ErrorIs(t, storage.Members([]byte(`{"a":1}`), func(string, []byte) error { return stop }), stop)
}

func TestElements(t *testing.T) {
	t.Parallel()
	for array, want := range map[string][]string{
		`[]`:                       nil,
		" [ 1 ,\t\"]\" ] ":         {"1", `"]"`},
		`[[],{"a":[1]},null,"\""]`: {"[]", `{"a":[1]}`, "null", `"\""`},
	} {
		got, err := elementsOf(array)
		require.NoError(t, err, array)
		require.Equal(t, want, got, array)
	}
	for _, array := range []string{``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[,]`, `[1 2]`, `[1]]`, `[}`, `["]`} {
		_, err := elementsOf(array)
		require.ErrorContains(t, err, "storage: a row is not valid JSON", array)
	}
	stop := errors.New("stop")
	require.ErrorIs(t, storage.Elements([]byte(`[1]`), func([]byte) error { return stop }), stop)
}

// Valid JSON is read as encoding/json reads it; what is not valid never panics,
// and never yields something that was not there.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[true,{"c":"\u00e9\ud83d\ude00"}],"":null}`, `{"a":"\ud83d","\\":-1.5E-3}`, `["x",[],{}]`, `{"a":[}`, `{"\`, `{"a":"\`, `[1 2]`, `{"a":"\ud83d\u0041"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var members, elements []string
		total := 0
		errMembers := storage.Members(data, func(name string, value []byte) error {
			members = append(members, name, string(value))
			total += len(value)
			return nil
		})
		errElements := storage.Elements(data, func(value []byte) error {
			elements = append(elements, string(value))
			total += len(value)
			return nil
		})
		require.LessOrEqual(t, total, len(data))
		if !json.Valid(data) || !utf8.Valid(data) {
			return
		}
		switch bytes.TrimLeft(data, " \t\r\n")[0] {
		case '{':
			require.NoError(t, errMembers)
			require.Equal(t, wantMembers(t, data), members)
			require.Error(t, errElements)
		case '[':
			require.NoError(t, errElements)
			var want []json.RawMessage
			require.NoError(t, json.Unmarshal(data, &want))
			require.Len(t, elements, len(want))
			for i, value := range want {
				require.Equal(t, string(value), elements[i])
			}
			require.Error(t, errMembers)
		default:
			require.Error(t, errMembers)
			require.Error(t, errElements)
		}
		for i := 1; i < len(members); i += 2 {
			if value := members[i]; strings.HasPrefix(value, `"`) {
				var want string
				require.NoError(t, json.Unmarshal([]byte(value), &want))
				got, err := storage.Unquote([]byte(value))
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
	})
}

// wantMembers lists names and values of an object, as encoding/json has them.
func wantMembers(t *testing.T, object []byte) (list []string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	_, err := dec.Token()
	require.NoError(t, err)
	for dec.More() {
		name, err := dec.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, dec.Decode(&value))
		list = append(list, name.(string), string(value))
	}
	return list
}
