package dsr

import "time"

// Schedule returns the next time after a given one. It must be later. The same
// time must always have the same next one.
type Schedule func(after time.Time) time.Time

// Every is a schedule of whole periods, in UTC, such as every hour on the hour.
// The period must be positive.
func Every(period time.Duration) Schedule {
	return func(after time.Time) time.Time {
		next := after.UTC().Truncate(period).Add(period) // of the zero time, a whole number of days before the epoch
		for !next.After(after) {
			next = next.Add(period)
		}
		return next
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
		local := after.In(zone)
		for days := 0; ; days++ {
			at := time.Date(local.Year(), local.Month(), local.Day()+days, hour, minute, 0, 0, zone)
			if at.After(after) && is(at.Weekday()) {
				return at.UTC()
			}
			if days > 14 { // a weekday that there is not
				return after.Add(7 * 24 * time.Hour)
			}
		}
	}
}
