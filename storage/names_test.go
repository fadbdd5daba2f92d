package storage_test

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

func TestFileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 300)
	for name, test := range map[string]struct{ in, want []string }{
		"harmless":            {[]string{"orders", "Ünï code", "a.b", "-rf", "(1)"}, []string{"orders.csv", "Ünï code.csv", "a.b.csv", "-rf.csv", "(1).csv"}},
		"out of the folder":   {[]string{"../x", `..\x`, "..", ".", "/", "a/../../b", "C:x", "~"}, []string{"_x.csv", "_x (2).csv", "_.csv", "_ (2).csv", "_ (3).csv", "a_.._.._b.csv", "C_x.csv", "~.csv"}},
		"nothing left":        {[]string{"", "   ", "...", " . "}, []string{"_.csv", "_ (2).csv", "_ (3).csv", "_ (4).csv"}},
		"ends":                {[]string{"a.", "a ", " a", ".a", "a. ."}, []string{"a.csv", "a (2).csv", "a (3).csv", "a (4).csv", "a (5).csv"}},
		"not shown as itself": {[]string{"a\x00b", "a\nb", "x\u202egnp", "x\u200by", "x\u2028y", "\xff", "x\u00a0y"}, []string{"a_b.csv", "a_b (2).csv", "x_gnp.csv", "x_y.csv", "x_y (2).csv", "_.csv", "x_y (3).csv"}},
		"of Windows":          {[]string{"con", "Nul", "COM1.x", "lpt9 .y", "com¹", "CONIN$", "console", `a*?"<>|b`}, []string{"_con.csv", "_Nul.csv", "_COM1.x.csv", "_lpt9 .y.csv", "_com¹.csv", "_CONIN$.csv", "console.csv", "a______b.csv"}},
		"case":                {[]string{"Orders", "orders", "ORDERS", "straße", "STRAßE", "\u212a", "k"}, []string{"Orders.csv", "orders (2).csv", "ORDERS (3).csv", "straße.csv", "STRAßE (2).csv", "\u212a.csv", "k (2).csv"}},
		"dots of an i":        {[]string{"I", "İ", "i", "ı", "ﬁx", "FIX"}, []string{"I.csv", "İ (2).csv", "i (3).csv", "ı (4).csv", "ﬁx.csv", "FIX.csv"}},
		"a mark as a letter":  {[]string{"\u0345", "\u0399"}, []string{"\u0345.csv", "\u0399 (2).csv"}},
		"accents": {
			[]string{"caf\u00e9", "cafe\u0301", "CAFE\u0301", "cafe", "\u1ec7", "e\u0302\u0323", "\u00ea\u0323", "\u212b", "A\u030a", "\u0439", "\u0438\u0306", "\u304c", "\u304b\u3099"},
			[]string{"caf\u00e9.csv", "cafe\u0301 (2).csv", "CAFE\u0301 (3).csv", "cafe.csv", "\u1ec7.csv", "e\u0302\u0323 (2).csv", "\u00ea\u0323 (3).csv", "\u212b (4).csv", "A\u030a (5).csv", "\u0439 (6).csv", "\u0438\u0306 (7).csv", "\u304c (8).csv", "\u304b\u3099 (9).csv"},
		},
		"scripts stay apart":   {[]string{"заказы", "клиент", "注文", "顧客", "주문", "고객", "طلب"}, []string{"заказы.csv", "клиент.csv", "注文.csv", "顧客.csv", "주문.csv", "고객.csv", "طلب.csv"}},
		"Hangul":               {[]string{"\ud55c", "\u1112\u1161\u11ab", "\uac00", "\u1100\u1161"}, []string{"\ud55c.csv", "\u1112\u1161\u11ab (2).csv", "\uac00.csv", "\u1100\u1161 (2).csv"}},
		"numbers given before": {[]string{"a", "a (2)", "A", "a (2)"}, []string{"a.csv", "a (2).csv", "A (3).csv", "a (2) (2).csv"}},
		"long":                 {[]string{long, long + "x", strings.Repeat("é", 200), strings.Repeat("a", 115) + " b"}, []string{long[:116] + ".csv", long[:112] + " (2).csv", strings.Repeat("é", 58) + ".csv", strings.Repeat("a", 115) + ".csv"}},
		"an accent alone":      {[]string{"\u0301", "a/\u0301"}, []string{"\u0301.csv", "a_\u0301.csv"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n storage.FileNames
			var got []string
			for _, in := range test.in {
				got = append(got, n.In("", in, ".csv"))
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestFileNamesAttachments(t *testing.T) {
	t.Parallel()
	var n storage.FileNames
	for _, test := range [][2]string{
		{"letter.pdf", "letter.pdf"}, {"letter.pdf", "letter (2).pdf"}, {"Letter.PDF", "Letter (3).PDF"}, {"letter", "letter"},
		{".bashrc", "bashrc"}, {"archive.tar.gz", "archive.tar.gz"}, {"x.p/../df", "x.p_.._df"}, {"x.con", "x.con"}, {"con.pdf", "_con.pdf"}, {"x.", "x"}, {"x.\u202efdp", "x._fdp"},
		{strings.Repeat("l", 300) + ".pdf", strings.Repeat("l", 116) + ".pdf"}, {"x." + strings.Repeat("y", 30), "x." + strings.Repeat("y", 30)},
	} {
		require.Equal(t, "attachments/"+test[1], n.Attachment(test[0]), test[0])
	}
}

func TestFileNamesFolders(t *testing.T) {
	t.Parallel()
	var n storage.FileNames
	n.Reserve("attachments")
	require.Equal(t, "Attachments (2)", n.In("", "Attachments", ""))
	folder := n.In("", strings.Repeat("d", 300), "")
	require.Len(t, folder, 120)
	require.Len(t, n.In(folder, strings.Repeat("c", 300), ".csv"), 180, "the whole path is bounded")
	require.Len(t, n.In(folder, strings.Repeat("c", 300), ".csv"), 180)
	deep := folder + "/" + strings.Repeat("e", 100)
	require.Len(t, n.In(deep, strings.Repeat("c", 300), ".csv"), len(deep)+1+40, "a name is left in the deepest folder")
	require.Equal(t, "x/a.csv", n.In("x", "a", ".csv"))
	require.Equal(t, "y/a.csv", n.In("y", "a", ".csv"), "folders are apart")
}

// Many files of one name take no longer each than the first, and all differ.
func TestFileNamesMany(t *testing.T) {
	t.Parallel()
	var n storage.FileNames
	seen := map[string]bool{}
	for range 20_000 {
		seen[n.Attachment("scan.pdf")] = true
	}
	require.Len(t, seen, 20_000)
	require.True(t, seen["attachments/scan (20000).pdf"])
}

// Whatever the names: paths differ, stay below their folder, and are short
// enough.
func FuzzFileNames(f *testing.F) {
	f.Add("a", "A", "b")
	f.Add("../x", "con", strings.Repeat("é", 300))
	f.Add("cafe\u0301", "caf\u00e9", "x.\u0301")
	f.Add("İ", "i", "ı")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var n storage.FileNames
		folder := n.In("", c, "")
		seen := map[string]bool{folder: true}
		for _, name := range []string{a, b, a, strings.ToUpper(a), a + b} {
			for _, p := range []string{n.In(folder, name, ".csv"), n.Attachment(name)} {
				require.False(t, seen[strings.ToLower(p)], "%q comes twice", p)
				seen[strings.ToLower(p)] = true
				require.True(t, utf8.ValidString(p))
				require.LessOrEqual(t, len(p), 180)
				require.Equal(t, path.Clean(p), p)
				require.Equal(t, 1, strings.Count(p, "/"), p)
				base := path.Base(p)
				require.LessOrEqual(t, len(base), 120)
				require.Equal(t, strings.Trim(base, " ."), base, "%q", p)
				require.False(t, strings.ContainsAny(p, "\\:*?\"<>|\x00\n\u202e"), "%q", p)
			}
		}
		require.NotContains(t, folder, "/")
	})
}
