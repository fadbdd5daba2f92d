package mask_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/redact/mask"
)

// secrets maps "strategy use" to a secret.
type secrets map[string]string

func (s secrets) Secret(strategy, use string) ([]byte, error) {
	secret, ok := s[strategy+" "+use]
	if !ok {
		return nil, errors.New("vault is sealed")
	}
	return []byte(secret), nil
}

// published are the secrets of the test vectors that Fides publishes.
func published() secrets {
	return secrets{
		"hash salt":            "adobo",
		"hmac key":             "test_key",
		"hmac salt":            "test_salt",
		"aes_encrypt key":      "y\xc5I\xd4\x92\xf6G\t\x80\xb1$\x06\x19t/\xc4",
		"aes_encrypt key_hmac": "other_key",
		"aes_encrypt salt":     "some_salt",
	}
}

type fixed struct {
	secrets
	random io.Reader
}

func (f fixed) Random() io.Reader { return f.random }

type conf = map[string]any

func suffix(s string) conf { return conf{"suffix": s} }

func TestMask(t *testing.T) {
	t.Parallel()
	millennium := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	const (
		monkey256 = "1c015e801323afa54bde5e4d510809e6b5f14ad9b9961c48cbd7143106b6e596"
		monkey512 = "527ca44f5c95400d161c503e6ddad7be01941ec9e7a03c2201338a16ba8a36bb765a430bd6b276a590661154f3f743a3a91efecd056645b4ea13b4b8cf39e8e3"
		tiger256  = "f37d3290343da298f2471fa8cff444d242052529e4fa27a1b9361bd1fdc02fd4"
		data256   = "df1e66dc2262ae3336f36294811f795b075900287e0a1add7974eacea8a52970"
		data512   = "0b4b968fa95510640bff35404ca89c146769e0a88cd4a6c15843176735a0820eec0f6580a21fd2b6b30f130cef01ccb4c5ab1d63387c4153ce8fc507e52efbaf"
		other256  = "fdc1f6389fbbb07174d4f15a4bbf0c0e2226a32ef2b288aa9a490e9fb91ce4bf"
		date256   = "68cecd9f5bf6c4788da1513d64867b83eca1f7a260be104cb7a437dc863fc917"
		dateAES   = "Sb9RzoQls/Nymd23qY4ZXoy/HBDrZAxeRgKNYv5LwwxlsPE="
	)
	tests := map[string]struct {
		strategy string
		conf     conf
		in, want any
	}{
		"null_rewrite text":          {mask.NullRewrite, nil, "a", nil},
		"null_rewrite number":        {mask.NullRewrite, nil, int64(1), nil},
		"null_rewrite list":          {mask.NullRewrite, conf{}, []any{"a", "b"}, nil},
		"null_rewrite map":           {mask.NullRewrite, nil, conf{"a": "b"}, nil},
		"preserve text":              {mask.Preserve, nil, "a", "a"},
		"preserve map":               {mask.Preserve, nil, conf{"a": "b"}, conf{"a": "b"}},
		"preserve null":              {mask.Preserve, nil, nil, nil},
		"string_rewrite":             {mask.StringRewrite, conf{"rewrite_value": "MASKED"}, "a@example.com", "MASKED"},
		"string_rewrite to nothing":  {mask.StringRewrite, conf{"rewrite_value": ""}, "a", ""},
		"string_rewrite suffix":      {mask.StringRewrite, conf{"rewrite_value": "MASKED", "format_preservation": suffix("@masked.com")}, "a", "MASKED@masked.com"},
		"string_rewrite no suffix":   {mask.StringRewrite, conf{"rewrite_value": "MASKED", "format_preservation": nil}, "a", "MASKED"},
		"string_rewrite null":        {mask.StringRewrite, conf{"rewrite_value": "MASKED"}, nil, nil},
		"string_rewrite empty text":  {mask.StringRewrite, conf{"rewrite_value": "MASKED"}, "", "MASKED"},
		"string_rewrite integer":     {mask.StringRewrite, conf{"rewrite_value": "MASKED"}, int64(5), "MASKED"},
		"string_rewrite list":        {mask.StringRewrite, conf{"rewrite_value": "M"}, []any{"a", nil, []any{int64(1)}}, []any{"M", nil, []any{"M"}}},
		"string_rewrite empty list":  {mask.StringRewrite, conf{"rewrite_value": "M"}, []any{}, []any{}},
		"hash default":               {mask.Hash, nil, "monkey", monkey256},
		"hash SHA-256":               {mask.Hash, conf{"algorithm": "SHA-256"}, "monkey", monkey256},
		"hash SHA-512":               {mask.Hash, conf{"algorithm": "SHA-512"}, "monkey", monkey512},
		"hash list":                  {mask.Hash, nil, []any{"monkey", nil, "tiger"}, []any{monkey256, nil, tiger256}},
		"hash suffix":                {mask.Hash, conf{"format_preservation": suffix("@x.org")}, "monkey", monkey256 + "@x.org"},
		"hash null":                  {mask.Hash, nil, nil, nil},
		"hmac default":               {mask.HMAC, nil, "my_data", data256},
		"hmac SHA-512":               {mask.HMAC, conf{"algorithm": "SHA-512"}, "my_data", data512},
		"hmac list":                  {mask.HMAC, nil, []any{"my_data", "my_other_data"}, []any{data256, other256}},
		"hmac time":                  {mask.HMAC, nil, millennium, date256},
		"hmac time in another place": {mask.HMAC, nil, millennium.In(time.FixedZone("", 3600)), date256},
		"hmac null":                  {mask.HMAC, nil, nil, nil},
		"aes_encrypt time":           {mask.AESEncrypt, nil, millennium, dateAES},
		"aes_encrypt text":           {mask.AESEncrypt, conf{"mode": "GCM"}, "2000-01-01 00:00:00", dateAES},
		"aes_encrypt suffix":         {mask.AESEncrypt, conf{"format_preservation": suffix("!")}, millennium, dateAES + "!"},
		"aes_encrypt null":           {mask.AESEncrypt, nil, nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, mask.Check(tt.strategy, tt.conf))
			s, err := mask.New(tt.strategy, tt.conf, published())
			require.NoError(t, err)
			for range 2 {
				got, err := s.Mask(tt.in)
				require.NoError(t, err)
				require.Equal(t, tt.want, got)
			}
		})
	}
}

func TestTextOfOtherValues(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		in   any
		text string
	}{
		"integer":      {int64(-12), "-12"},
		"other number": {uint8(12), "12"},
		"true":         {true, "true"},
		"false":        {false, "false"},
		"float":        {50.0, "50"},
		"fraction":     {0.1, "0.1"},
		"large float":  {1e21, "1000000000000000000000"},
		"NaN":          {math.NaN(), "NaN"},
		"decimal":      {json.Number("1.50"), "1.50"},
		"time":         {noon, "2024-02-29 12:00:00"},
		"microseconds": {noon.Add(120 * time.Millisecond), "2024-02-29 12:00:00.120000"},
		"nanoseconds":  {noon.Add(5), "2024-02-29 12:00:00.000000005"},
	}
	s, err := mask.New(mask.Hash, nil, published())
	require.NoError(t, err)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := s.Mask(tt.text)
			require.NoError(t, err)
			got, err := s.Mask(tt.in)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestRandomStringRewrite(t *testing.T) {
	t.Parallel()
	// 252 to 255 would favour the first letters, so they are drawn again.
	random := fixed{random: bytes.NewReader([]byte{0, 25, 26, 255, 35, 252, 36, 251})}
	s, err := mask.New(mask.RandomStringRewrite, conf{"length": 4, "format_preservation": suffix("@x")}, random)
	require.NoError(t, err)
	got, err := s.Mask("anything")
	require.NoError(t, err)
	require.Equal(t, "az09@x", got)
	_, err = s.Mask("anything")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	got, err = s.Mask(nil)
	require.NoError(t, err)
	require.Nil(t, got)

	s, err = mask.New(mask.RandomStringRewrite, nil, nil)
	require.NoError(t, err)
	one, err := s.Mask([]any{"a", "a"})
	require.NoError(t, err)
	require.Regexp(t, `^[a-z0-9]{30}$`, one.([]any)[0])
	require.Regexp(t, `^[a-z0-9]{30}$`, one.([]any)[1])
	require.NotEqual(t, one.([]any)[0], one.([]any)[1])
}

func TestMaskRefusesTypes(t *testing.T) {
	t.Parallel()
	texts := map[string]conf{
		mask.StringRewrite: {"rewrite_value": "M"}, mask.RandomStringRewrite: nil,
		mask.Hash: nil, mask.HMAC: nil, mask.AESEncrypt: nil,
	}
	values := map[string]any{
		"map[string]interface {}": conf{"name": "canary"},
		"[]uint8":                 []byte("canary"),
		"struct { Name string }":  struct{ Name string }{"canary"},
	}
	for name, c := range texts {
		s, err := mask.New(name, c, published())
		require.NoError(t, err)
		for typ, v := range values {
			for _, v := range []any{v, []any{"a", v}} {
				got, err := s.Mask(v)
				var te *mask.TypeError
				require.ErrorAs(t, err, &te)
				require.Equal(t, mask.TypeError{Strategy: name, Type: typ}, *te)
				require.NotContains(t, err.Error(), "canary")
				require.Nil(t, got)
			}
		}
	}
}

func TestEffect(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		strategy string
		conf     conf
		want     mask.Effect
	}{
		"null_rewrite":        {mask.NullRewrite, nil, mask.Effect{Null: true, Constant: true}},
		"preserve":            {mask.Preserve, nil, mask.Effect{Keeps: true}},
		"string_rewrite":      {mask.StringRewrite, conf{"rewrite_value": "äö", "format_preservation": suffix("@ü")}, mask.Effect{Text: true, Length: 4, Constant: true}},
		"random default":      {mask.RandomStringRewrite, nil, mask.Effect{Text: true, Length: 30}},
		"random from JSON":    {mask.RandomStringRewrite, conf{"length": 7.0}, mask.Effect{Text: true, Length: 7}},
		"hash":                {mask.Hash, nil, mask.Effect{Text: true, Length: 64}},
		"hash suffix":         {mask.Hash, conf{"format_preservation": suffix("@x.org")}, mask.Effect{Text: true, Length: 70}},
		"hmac SHA-512":        {mask.HMAC, conf{"algorithm": "SHA-512"}, mask.Effect{Text: true, Length: 128}},
		"aes_encrypt depends": {mask.AESEncrypt, conf{"format_preservation": suffix("@x.org")}, mask.Effect{Text: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := mask.New(tt.strategy, tt.conf, published())
			require.NoError(t, err)
			require.Equal(t, tt.want, s.Effect())
		})
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	require.Equal(t, "MAS", mask.Truncate("MASKED@x", 3))
	require.Equal(t, "MASKED@x", mask.Truncate("MASKED@x", 8))
	require.Equal(t, "MASKED@x", mask.Truncate("MASKED@x", 9))
	require.Equal(t, "MASKED@x", mask.Truncate("MASKED@x", 0))
	require.Equal(t, "äöü", mask.Truncate("äöüß", 3))
	require.Equal(t, "äöüß", mask.Truncate("äöüß", 4))
	require.Equal(t, "äöüß", mask.Truncate("äöüß", 6))
	require.Equal(t, "a\xff", mask.Truncate("a\xffb", 2))
	require.Empty(t, mask.Truncate("", 3))
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "aes_encrypt hash hmac null_rewrite preserve random_string_rewrite string_rewrite", strings.Join(mask.Names(), " "))
}

func BenchmarkHash(b *testing.B) {
	s, err := mask.New(mask.Hash, nil, published())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Mask("customer-123456@example.com")
	}
}
