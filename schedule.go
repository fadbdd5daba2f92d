package dsr

import (
	"errors"
	"time"
)

// Schedule returns the next time after a given one. It must be later; New
// refuses one that stands still. The same time must always have the same next
// one.
type Schedule func(after time.Time) time.Time

// check says what is wrong with a schedule.
func (s Schedule) check(now time.Time) error {
	if !s(now).After(now) {
		return errors.New("its schedule stands still: the next time must come after the one given")
	}
	return nil
}

// Every is a schedule of whole periods, in UTC, such as every hour on the hour.
// The period must be positive.
func Every(period time.Duration) Schedule {
	return func(after time.Time) time.Time {
		return after.UTC().Truncate(period).Add(period) // of the zero time, a whole number of days before the epoch
	}
}

// Daily is every day at a time of day, in a time zone; nil is UTC. A time that
// is left out by a change of the clock is as much later as that.
func Daily(hour, minute int, zone *time.Location) Schedule {
	return onDays(hour, minute, zone, func(time.Weekday) bool { return true })
}

// Weekly is every week on a day at a time of day, in a time zone; nil is UTC.
func Weekly(day time.Weekday, hour, minute int, zone *time.Location) Schedule {
	return onDays(hour, minute, zone, func(d time.Weekday) bool { return d == day })
}

func onDays(hour, minute int, zone *time.Location, is func(time.Weekday) bool) Schedule {
	if zone == nil {
		zone = time.UTC
	}
	return func(after time.Time) time.Time {
		year, month, day := after.In(zone).Date()
		for days := -1; ; days++ { // the time of a day may fall on the next one
			if !is(time.Date(year, month, day+days, 0, 0, 0, 0, time.UTC).Weekday()) {
				if days > 14 { // a weekday that there is not
					return after
				}
				continue
			}
			if at := clockTime(year, month, day+days, hour, minute, zone); at.After(after) {
				return at.UTC()
			}
		}
	}
}

// clockTime is when a clock on the wall shows a time of day. Of a time that the
// clock leaves out, [time.Date] returns one that is too early in some zones.
func clockTime(year int, month time.Month, day, hour, minute int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, hour, minute, 0, 0, zone)
	wanted := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	_, offset := at.Zone()
	if early := wanted.Sub(at.Add(time.Duration(offset) * time.Second)); early > 0 {
		at = at.Add(early)
	}
	return at
}
