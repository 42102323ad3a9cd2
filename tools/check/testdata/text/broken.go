package text

func (
