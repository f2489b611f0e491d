package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// ColorNameCanvas is the colour around an image, and of empty panes.
const ColorNameCanvas fyne.ThemeColorName = "limpidCanvas"

// canvasColour is ColorNameCanvas where the theme in use knows it.
func canvasColour(w fyne.Widget) fyne.ThemeColorName {
	if _, ours := theme.CurrentForWidget(w).(Theme); ours {
		return ColorNameCanvas
	}
	return theme.ColorNameInputBackground
}

// Mode says whether the window is dark, light, or as the desktop is.
type Mode string

// The modes.
const (
	Dark   Mode = "dark"
	Light  Mode = "light"
	System Mode = "system"
)

// Theme is the window's look: quiet surfaces, one accent, compact spacing.
type Theme struct {
	Mode Mode
	// TextScale enlarges letters and what is measured by them; 0 means 1.
	TextScale float32
}

var _ fyne.Theme = Theme{}

func hex(rgba uint32) color.NRGBA {
	return color.NRGBA{uint8(rgba >> 24), uint8(rgba >> 16), uint8(rgba >> 8), uint8(rgba)}
}

type palette map[fyne.ThemeColorName]color.NRGBA

// darkColours and lightColours: text has a contrast of at least 7 to 1 on its
// surfaces, secondary text and the accent 4.5 to 1 (WCAG 2.2); a test checks it.
var darkColours = palette{
	ColorNameCanvas:                    hex(0x101216ff),
	theme.ColorNameBackground:          hex(0x171a1fff),
	theme.ColorNameButton:              hex(0x272c35ff),
	theme.ColorNameDisabled:            hex(0x6b7482ff),
	theme.ColorNameDisabledButton:      hex(0x1f232aff),
	theme.ColorNameError:               hex(0xff7b6dff),
	theme.ColorNameFocus:               hex(0x5ea8e659),
	theme.ColorNameForeground:          hex(0xdee2e9ff),
	theme.ColorNameForegroundOnError:   hex(0x1b0b09ff),
	theme.ColorNameForegroundOnPrimary: hex(0x08131dff),
	theme.ColorNameForegroundOnSuccess: hex(0x07160dff),
	theme.ColorNameForegroundOnWarning: hex(0x1a1204ff),
	theme.ColorNameHeaderBackground:    hex(0x1c2026ff),
	theme.ColorNameHover:               hex(0xffffff14),
	theme.ColorNameHyperlink:           hex(0x6fb3ecff),
	theme.ColorNameInputBackground:     hex(0x1f232aff),
	theme.ColorNameInputBorder:         hex(0x3a414dff),
	theme.ColorNameMenuBackground:      hex(0x20252dff),
	theme.ColorNameOverlayBackground:   hex(0x1c2026ff),
	theme.ColorNamePlaceHolder:         hex(0x929baaff),
	theme.ColorNamePressed:             hex(0xffffff26),
	theme.ColorNamePrimary:             hex(0x5ea8e6ff),
	theme.ColorNameScrollBar:           hex(0xaab2c066),
	theme.ColorNameScrollBarBackground: hex(0x00000000),
	theme.ColorNameSelection:           hex(0x5ea8e659),
	theme.ColorNameSeparator:           hex(0x2b313aff),
	theme.ColorNameShadow:              hex(0x00000066),
	theme.ColorNameSuccess:             hex(0x6cc993ff),
	theme.ColorNameWarning:             hex(0xe9b44cff),
}

var lightColours = palette{
	ColorNameCanvas:                    hex(0xdde0e5ff),
	theme.ColorNameBackground:          hex(0xf5f6f8ff),
	theme.ColorNameButton:              hex(0xe3e6ebff),
	theme.ColorNameDisabled:            hex(0x8f96a1ff),
	theme.ColorNameDisabledButton:      hex(0xecedf1ff),
	theme.ColorNameError:               hex(0xb3261eff),
	theme.ColorNameFocus:               hex(0x1a66ad4d),
	theme.ColorNameForeground:          hex(0x1b1f26ff),
	theme.ColorNameForegroundOnError:   hex(0xffffffff),
	theme.ColorNameForegroundOnPrimary: hex(0xffffffff),
	theme.ColorNameForegroundOnSuccess: hex(0xffffffff),
	theme.ColorNameForegroundOnWarning: hex(0xffffffff),
	theme.ColorNameHeaderBackground:    hex(0xebedf1ff),
	theme.ColorNameHover:               hex(0x0000000f),
	theme.ColorNameHyperlink:           hex(0x175d9fff),
	theme.ColorNameInputBackground:     hex(0xffffffff),
	theme.ColorNameInputBorder:         hex(0xc3c8d1ff),
	theme.ColorNameMenuBackground:      hex(0xffffffff),
	theme.ColorNameOverlayBackground:   hex(0xffffffff),
	theme.ColorNamePlaceHolder:         hex(0x5c6470ff),
	theme.ColorNamePressed:             hex(0x0000001f),
	theme.ColorNamePrimary:             hex(0x1a66adff),
	theme.ColorNameScrollBar:           hex(0x4a525e66),
	theme.ColorNameScrollBarBackground: hex(0x00000000),
	theme.ColorNameSelection:           hex(0x1a66ad40),
	theme.ColorNameSeparator:           hex(0xd5d9e0ff),
	theme.ColorNameShadow:              hex(0x00000033),
	theme.ColorNameSuccess:             hex(0x1d7040ff),
	theme.ColorNameWarning:             hex(0x8a5a00ff),
}

// Color looks a colour up; names this theme does not set are Fyne's own.
func (t Theme) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	colours := darkColours
	if t.Mode == Light || t.Mode == System && v == theme.VariantLight {
		colours, v = lightColours, theme.VariantLight
	} else {
		v = theme.VariantDark
	}
	if c, ok := colours[n]; ok {
		return c
	}
	return theme.DefaultTheme().Color(n, v)
}

// Font is Fyne's sans-serif.
func (t Theme) Font(s fyne.TextStyle) fyne.Resource { return theme.DefaultTheme().Font(s) }

// Icon is Fyne's.
func (t Theme) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }

// Size is compact: a tool that stays open all day needs its room for images.
func (t Theme) Size(n fyne.ThemeSizeName) float32 {
	scale := t.TextScale
	if scale <= 0 {
		scale = 1
	}
	switch n {
	case theme.SizeNameText:
		return 13 * scale
	case theme.SizeNameCaptionText:
		return 11 * scale
	case theme.SizeNameSubHeadingText:
		return 15 * scale
	case theme.SizeNameHeadingText:
		return 19 * scale
	case theme.SizeNameInlineIcon:
		return 17 * scale
	case theme.SizeNamePadding:
		return 3
	case theme.SizeNameInnerPadding:
		return 6
	case theme.SizeNameLineSpacing:
		return 3
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return 4
	case theme.SizeNameModalBlurRadius:
		return 0 // blurring the window behind a dialog makes it late without a GPU
	case theme.SizeNameScrollBar:
		return 10
	case theme.SizeNameScrollBarSmall:
		return 4
	}
	return theme.DefaultTheme().Size(n)
}
