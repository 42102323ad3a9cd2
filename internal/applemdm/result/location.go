package result

import "time"

// Location is the answer to DeviceLocation.
type Location struct {
	Latitude           float64  // degrees
	Longitude          float64  // degrees
	HorizontalAccuracy *float64 // metres; nil if the device does not know, as for all below
	VerticalAccuracy   *float64 // metres
	Altitude           *float64 // metres
	Speed              *float64 // metres a second
	Course             *float64 // degrees from north
	Timestamp          *time.Time
}

// DeviceLocation reads the answer to the command of this name. It is
// [ErrAbsent] without a position on Earth.
func DeviceLocation(body []byte) (Location, error) {
	answer, err := read[struct {
		Latitude, Longitude                                           *float64
		HorizontalAccuracy, VerticalAccuracy, Altitude, Speed, Course *float64
		Timestamp                                                     string
	}](body, "", 0)
	if err != nil {
		return Location{}, err
	}
	if answer.Latitude == nil || answer.Longitude == nil || *answer.Latitude < -90 || *answer.Latitude > 90 ||
		*answer.Longitude < -180 || *answer.Longitude > 180 {
		return Location{}, ErrAbsent
	}
	location := Location{
		Latitude: *answer.Latitude, Longitude: *answer.Longitude,
		HorizontalAccuracy: known(answer.HorizontalAccuracy), VerticalAccuracy: known(answer.VerticalAccuracy),
		Speed: known(answer.Speed), Course: known(answer.Course),
	}
	if location.VerticalAccuracy != nil { // which says that there is an altitude, be it below the sea
		location.Altitude = answer.Altitude
	}
	if at, err := time.Parse(time.RFC3339, answer.Timestamp); err == nil {
		location.Timestamp = &at
	}
	return location, nil
}

// known turns Apple's -1 for unknown into nil.
func known(v *float64) *float64 {
	if v == nil || *v < 0 {
		return nil
	}
	return v
}
