package surrogate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/surrogate"
)

func TestLone(t *testing.T) {
	t.Parallel()
	for text, lone := range map[string]bool{
		`""`: false, `"a"`: false, `"\u00e9"`: false, `"\ufffd"`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00\ud83d\ude00"`: false,
		`"\ud800"`: true, `"a\ud800b"`: true, `"\udc00"`: true, `"\udc00\ud800"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ud83d\ude00\ude00"`: true,
		`"\ud83dx\ude00"`: true, `"\ud83d\n\ude00"`: true, `"\uDBFF"`: true, `"\ue000\ud7ff"`: false,
		`"\\ud800"`: false, `"\\\ud800"`: true, `"\\\\ud800"`: false, `"\"\ud800\""`: true,
		`{"a\ud800":1}`: true, `{"a":["b",{"c":"\udfff"}]}`: true, `{"a":["\ud83d","\ude00"]}`: true, `[1,null,true,"\/\b"]`: false,
	} {
		require.True(t, json.Valid([]byte(text)), text)
		require.Equal(t, lone, surrogate.Lone([]byte(text)), text)
	}
}

func FuzzLone(f *testing.F) {
	f.Add(`"\ud83d\ude00"`)
	f.Add(`"\\\ud83d"`)
	f.Fuzz(func(t *testing.T, text string) {
		var v string
		if json.Unmarshal([]byte(text), &v) != nil || strings.Contains(strings.ToLower(text), "fffd") || strings.ContainsRune(strings.ToValidUTF8(text, "\ufffd"), '\ufffd') {
			return
		}
		require.Equal(t, strings.ContainsRune(v, '\ufffd'), surrogate.Lone([]byte(text)), "%q", text)
	})
}
