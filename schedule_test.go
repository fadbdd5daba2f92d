package dsr_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones are tested everywhere

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		when  dsr.Schedule
		after string
		want  []string // in UTC, each after the one before
	}{
		{"every hour", dsr.Every(time.Hour), "2030-01-02T03:04:05Z", []string{"2030-01-02T04:00:00Z", "2030-01-02T05:00:00Z"}},
		{"every hour, on the hour", dsr.Every(time.Hour), "2030-01-02T03:00:00Z", []string{"2030-01-02T04:00:00Z"}},
		{"every day, elsewhere", dsr.Every(24 * time.Hour), "2030-01-02T23:30:00-05:00", []string{"2030-01-04T00:00:00Z"}},
		{"every long time", dsr.Every(90 * 24 * time.Hour), "1960-01-01T00:00:00Z", []string{"1960-03-22T00:00:00Z", "1960-06-20T00:00:00Z"}},
		{"daily", dsr.Daily(9, 30, nil), "2030-01-02T03:04:05Z", []string{"2030-01-02T09:30:00Z", "2030-01-03T09:30:00Z"}},
		{"daily, at that time", dsr.Daily(9, 30, nil), "2030-01-02T09:30:00Z", []string{"2030-01-03T09:30:00Z"}},
		{"daily in a zone where it is tomorrow", dsr.Daily(9, 0, zone(t, "Pacific/Auckland")), "2030-01-02T19:00:00Z", []string{"2030-01-02T20:00:00Z"}},
		{"weekly", dsr.Weekly(time.Monday, 12, 0, nil), "2030-01-02T03:04:05Z", []string{"2030-01-07T12:00:00Z", "2030-01-14T12:00:00Z"}},
		{"weekly, today", dsr.Weekly(time.Wednesday, 12, 0, nil), "2030-01-02T03:04:05Z", []string{"2030-01-02T12:00:00Z"}},
		{"weekly, over a change of the clock", dsr.Weekly(time.Monday, 12, 0, zone(t, "America/New_York")), "2030-03-05T00:00:00Z",
			[]string{"2030-03-11T16:00:00Z"}},
		{"weekly, before it", dsr.Weekly(time.Monday, 12, 0, zone(t, "America/New_York")), "2030-03-01T00:00:00Z",
			[]string{"2030-03-04T17:00:00Z", "2030-03-11T16:00:00Z"}},
		{"daily, left out east of UTC", dsr.Daily(2, 30, zone(t, "Europe/Berlin")), "2030-03-30T12:00:00Z",
			[]string{"2030-03-31T01:30:00Z", "2030-04-01T00:30:00Z"}},
		{"daily, left out west of UTC", dsr.Daily(2, 30, zone(t, "America/New_York")), "2030-03-09T12:00:00Z",
			[]string{"2030-03-10T07:30:00Z", "2030-03-11T06:30:00Z"}},
		{"daily, there twice", dsr.Daily(1, 30, zone(t, "America/New_York")), "2030-11-02T12:00:00Z",
			[]string{"2030-11-03T05:30:00Z", "2030-11-04T06:30:00Z"}},
		{"weekly, midnight left out", dsr.Weekly(time.Sunday, 0, 0, zone(t, "America/Sao_Paulo")), "2018-10-29T00:00:00Z",
			[]string{"2018-11-04T03:00:00Z", "2018-11-11T02:00:00Z"}},
		{"daily, a day left out", dsr.Daily(10, 0, zone(t, "Pacific/Apia")), "2011-12-29T21:00:00Z",
			[]string{"2011-12-30T20:00:00Z", "2011-12-31T20:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, err := time.Parse(time.RFC3339, c.after)
			require.NoError(t, err)
			for _, want := range c.want {
				next := c.when(at)
				require.Equal(t, want, next.Format(time.RFC3339))
				require.Equal(t, next, c.when(at), "the same time has the same next one")
				at = next
			}
		})
	}
}

// Whatever the time of day and the place, each day has one time, and it is later.
func TestDailyIsOnceADay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		for hour := range 24 {
			when := dsr.Daily(hour, 15, zone(t, name))
			at := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
			for range 365 {
				next := when(at)
				require.True(t, next.After(at))
				require.LessOrEqual(t, next.Sub(at), 25*time.Hour)
				at = next
			}
			days := at.Sub(time.Date(2018, 12, 31, 0, 0, 0, 0, time.UTC)).Hours()
			require.True(t, days >= 0 && days < 48, "%s %d: 365 times are a year, not until %s", name, hour, at)
		}
	}
}

func TestSchedulesThatStandStillAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	for name, when := range map[string]dsr.Schedule{
		"no period":              dsr.Every(0),
		"a negative one":         dsr.Every(-time.Hour),
		"no such day":            dsr.Weekly(time.Weekday(9), 12, 0, nil),
		"somebody's own":         func(time.Time) time.Time { return time.Time{} },
		"one that says the same": func(after time.Time) time.Time { return after },
	} {
		v := daily
		v.When = when
		c := o.config
		c.Vendors, c.Digest = []dsr.Vendor{v}, when
		_, err := dsr.New(c)
		require.EqualError(t, err, `dsr: the configuration has 2 fault(s):
	Vendors: vendor 1 ("ads"): its schedule stands still: the next time must come after the one given
	Digest: its schedule stands still: the next time must come after the one given`, name)
	}
}
