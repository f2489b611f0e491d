package view

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/app/session"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/plan"
	"limpid/ui/viewmodel/project"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// ProjectSuffix is that of project files.
const ProjectSuffix = project.Suffix

// saving is the state of the project file and of what is kept against a crash.
type saving struct {
	path  string // of the project; "": it was never saved
	timer *time.Timer
	last  string // what was kept last, without its time
	off   bool   // nothing is kept: there is no folder for it, or the window closes
	wait  chan struct{}
}

// saveAfter is how long the window rests before its state is kept.
const saveAfter = time.Second

// project is the window as it is.
func (w *Window) project() project.Project {
	p := project.Project{Space: int(w.spaces.shown), Catalogue: w.m.CataloguePath()}
	list, current := w.m.States()
	p.Current = current
	for _, s := range list {
		p.Files = append(p.Files, project.File{Path: s.Path, HDU: s.HDU, Recipe: s.Recipe, Typed: s.Typed, Regions: s.Regions, Written: s.Written})
	}
	if l := w.spaces.lens; l != nil {
		p.MassMap = project.Lensing{Catalogue: l.Path(), Form: l.Form()}
	}
	if b := w.spaces.blend; b != nil {
		p.Deblend = b.State()
	}
	return p
}

// autosave keeps the state soon.
func (w *Window) autosave() {
	s := &w.saving
	if s.off || s.timer != nil || w.o.Recovery == "" {
		return
	}
	s.timer = time.AfterFunc(saveAfter, func() { w.o.Post(w.keep) })
}

// keep writes the state beside those of other windows, off the window's goroutine.
func (w *Window) keep() {
	s := &w.saving
	s.timer = nil
	if s.off {
		return
	}
	p := w.project()
	text := fmt.Sprintf("%+v", p)
	if text == s.last || p.Empty() && s.last == "" {
		return
	}
	if s.wait != nil {
		select {
		case <-s.wait:
		default: // the last one is being written
			w.autosave()
			return
		}
	}
	s.last = text
	done := make(chan struct{})
	s.wait = done
	dir, path := w.o.Recovery, s.path
	go func() {
		defer close(done)
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = project.Write(project.AutoPath(dir), p)
		}
		if path != "" && err == nil {
			err = project.Write(path, p) // a project that has a name is saved there too
		}
		if err != nil {
			w.o.Post(func() {
				x := session.Problem(err)
				x.Severity = limpid.Warning
				w.m.Tell(x)
				s.off = true
			})
		}
	}()
}

// finishProject takes the state away: the window closes in order.
func (w *Window) finishProject() {
	s := &w.saving
	s.off = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.wait != nil {
		<-s.wait
	}
	if w.o.Recovery != "" {
		os.Remove(project.AutoPath(w.o.Recovery))
	}
	if s.path != "" {
		if err := project.Write(s.path, w.project()); err != nil {
			fmt.Fprintln(os.Stderr, "limpid:", err)
		}
	}
}

// openProject opens a project file beside what is open.
func (w *Window) openProject(path string) {
	p, err := project.Read(path)
	if err != nil {
		w.m.Tell(limpid.Finding{Severity: limpid.Problem, Code: "project", Where: filepath.Base(path), What: err.Error(), Advice: "choose a file that File ▸ Save project wrote"})
		return
	}
	w.saving.path = path
	w.m.Store().Used(path)
	w.restore(p)
}

// restore opens what a project names.
func (w *Window) restore(p project.Project) {
	var list []viewmodel.FileState
	for _, f := range p.Files {
		list = append(list, viewmodel.FileState{Path: f.Path, HDU: f.HDU, Recipe: f.Recipe, Typed: f.Typed, Regions: f.Regions, Written: f.Written})
	}
	w.m.Restore(list, p.Current)
	if p.Catalogue != "" {
		w.m.OpenCatalogue(p.Catalogue, 0)
	}
	if p.MassMap.Catalogue != "" {
		w.needLens()
		w.spaces.lens.Restore(p.MassMap.Catalogue, p.MassMap.Form)
	}
	if len(p.Deblend.Files) > 0 {
		w.needBlend()
		w.spaces.blend.Restore(p.Deblend)
	}
	w.SetSpace(Space(p.Space))
}

// offerRecovery asks whether to go on where a window ended that did not end in order.
func (w *Window) offerRecovery() {
	if w.o.Recovery == "" || w.modal != nil {
		return
	}
	path, p, ok := project.Left(w.o.Recovery)
	if !ok {
		project.Forget(w.o.Recovery, "")
		return
	}
	text := fmt.Sprintf("Limpid did not end in order. Kept at %s: %s, with recipes and regions as they were. Runs are not kept; a recipe gives the same result again.",
		p.Saved.Local().Format("2 January 15:04:05"), p.About())
	no := control.NewButton("Discard", "", nil, nil)
	yes := control.NewButton("Recover", "", nil, nil)
	yes.Importance = fynewidget.HighImportance
	d := w.open("Go on where it ended?", 460, control.NewText(text, "", ""), no, yes)
	no.OnTapped = func() {
		project.Forget(w.o.Recovery, "")
		d.close()
	}
	yes.OnTapped = func() {
		d.close()
		w.restore(p)
		project.Forget(w.o.Recovery, path) // it goes when this window has kept its own
		time.AfterFunc(3*saveAfter, func() { os.Remove(path) })
	}
	w.win.Canvas().Focus(yes)
}

// saveProjectDialog writes the project under a name; from then on it is saved there by
// itself.
func (w *Window) saveProjectDialog() {
	p := w.project()
	if p.Empty() {
		return
	}
	path := control.NewEntry(nil)
	path.Set(w.projectPath(p), false)
	said := control.NewText("Images, recipes, regions and sources; results are not in it. From then on it is kept up to date by itself.", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	cancel := control.NewButton("Cancel", "", nil, nil)
	save := control.NewButton("Save", "", nil, nil)
	save.Importance = fynewidget.HighImportance
	d := w.open("Save project", 560, control.NewColumn(6, 0, path, said), cancel, save)
	cancel.OnTapped = d.close
	save.OnTapped = func() {
		name := browse.Expand(path.Text)
		if filepath.Ext(name) != ProjectSuffix {
			name += ProjectSuffix
		}
		if err := project.Write(name, p); err != nil {
			x := session.Problem(err)
			said.Set(x.What+". "+x.Advice, theme.ColorNameError)
			d.refit()
			return
		}
		w.saving.path = name
		w.m.Store().Used(name)
		w.changed(viewmodel.Files)
		d.close()
	}
	path.OnSubmitted = func(string) { save.OnTapped() }
	w.win.Canvas().Focus(path)
}

func (w *Window) projectPath(p project.Project) string {
	if w.saving.path != "" {
		return w.saving.path
	}
	first := ""
	switch {
	case len(p.Files) > 0:
		first = p.Files[0].Path
	case p.MassMap.Catalogue != "":
		first = p.MassMap.Catalogue
	default:
		first = p.Deblend.Files[0]
	}
	return filepath.Join(plan.FolderFor(first), filepath.Base(session.Stem(first))+ProjectSuffix)
}
