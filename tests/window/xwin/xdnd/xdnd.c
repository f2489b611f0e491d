/* A source of drag and drop under X11: offers files to the window under a point,
 * as a file manager does (XDND version 5, freedesktop.org).
 *
 *   xdnd X Y URI ...
 *
 * Exits with 0 when the target has taken the drop and said so, else with a reason
 * on standard error.
 */
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

static Display *dpy;
static Atom aware, selection, enter, position, status, drop, finished, list, copy;

static Atom atom(const char *name) { return XInternAtom(dpy, name, False); }

static int fail(const char *why) {
	fprintf(stderr, "xdnd: %s\n", why);
	return 1;
}

/* target is the topmost window at a point that takes drops. */
static Window target(Window w, int x, int y) {
	Window root, parent, *children, child;
	unsigned n;
	int cx, cy;
	Atom type;
	int format;
	unsigned long items, rest;
	unsigned char *data = NULL;
	if (XGetWindowProperty(dpy, w, aware, 0, 1, False, AnyPropertyType, &type, &format, &items, &rest, &data) == Success && data) {
		XFree(data);
		if (items > 0)
			return w;
	}
	if (!XQueryTree(dpy, w, &root, &parent, &children, &n))
		return None;
	Window found = None;
	for (int i = (int)n - 1; i >= 0 && found == None; i--) {
		XWindowAttributes a;
		if (!XGetWindowAttributes(dpy, children[i], &a) || a.map_state != IsViewable)
			continue;
		XTranslateCoordinates(dpy, root, children[i], x, y, &cx, &cy, &child);
		if (cx >= 0 && cy >= 0 && cx < a.width && cy < a.height)
			found = target(children[i], x, y);
	}
	if (children)
		XFree(children);
	return found;
}

static void tell(Window to, Window from, Atom what, long a, long b, long c, long d) {
	XEvent e;
	memset(&e, 0, sizeof e);
	e.xclient.type = ClientMessage;
	e.xclient.window = to;
	e.xclient.message_type = what;
	e.xclient.format = 32;
	e.xclient.data.l[0] = from;
	e.xclient.data.l[1] = a;
	e.xclient.data.l[2] = b;
	e.xclient.data.l[3] = c;
	e.xclient.data.l[4] = d;
	XSendEvent(dpy, to, False, NoEventMask, &e);
	XFlush(dpy);
}

/* next waits for an event; it gives up after some seconds. */
static int next(XEvent *e, int seconds) {
	time_t end = time(NULL) + seconds;
	while (!XPending(dpy)) {
		struct timeval t = {0, 50000};
		fd_set in;
		FD_ZERO(&in);
		FD_SET(ConnectionNumber(dpy), &in);
		select(ConnectionNumber(dpy) + 1, &in, NULL, NULL, &t);
		if (time(NULL) > end)
			return 0;
	}
	XNextEvent(dpy, e);
	return 1;
}

static void answer(XSelectionRequestEvent *r, const char *uris) {
	XEvent e;
	memset(&e, 0, sizeof e);
	e.xselection.type = SelectionNotify;
	e.xselection.requestor = r->requestor;
	e.xselection.selection = r->selection;
	e.xselection.target = r->target;
	e.xselection.time = r->time;
	if (r->target == list) {
		XChangeProperty(dpy, r->requestor, r->property, list, 8, PropModeReplace, (const unsigned char *)uris, (int)strlen(uris));
		e.xselection.property = r->property;
	}
	XSendEvent(dpy, r->requestor, False, NoEventMask, &e);
	XFlush(dpy);
}

int main(int argc, char **argv) {
	if (argc < 4)
		return fail("usage: xdnd X Y URI ...");
	dpy = XOpenDisplay(NULL);
	if (!dpy)
		return fail("no display");
	aware = atom("XdndAware");
	selection = atom("XdndSelection");
	enter = atom("XdndEnter");
	position = atom("XdndPosition");
	status = atom("XdndStatus");
	drop = atom("XdndDrop");
	finished = atom("XdndFinished");
	copy = atom("XdndActionCopy");
	list = atom("text/uri-list");

	size_t size = 1;
	for (int i = 3; i < argc; i++)
		size += strlen(argv[i]) + 2;
	char *uris = calloc(size, 1);
	if (!uris)
		return fail("no memory");
	for (int i = 3; i < argc; i++) {
		strcat(uris, argv[i]);
		strcat(uris, "\r\n");
	}
	int x = atoi(argv[1]), y = atoi(argv[2]);
	Window to = target(DefaultRootWindow(dpy), x, y);
	if (to == None)
		return fail("no window there takes drops");
	Window me = XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), 0, 0, 1, 1, 0, 0, 0);
	XSetSelectionOwner(dpy, selection, me, CurrentTime);
	if (XGetSelectionOwner(dpy, selection) != me)
		return fail("cannot own the selection");
	tell(to, me, enter, 5L << 24, (long)list, None, None);
	tell(to, me, position, 0, (long)x << 16 | y, CurrentTime, (long)copy);
	int accepted = 0;
	XEvent e;
	while (next(&e, 90)) {
		if (e.type == SelectionRequest) {
			answer(&e.xselectionrequest, uris);
		} else if (e.type == ClientMessage && e.xclient.message_type == status && !accepted) {
			if (!(e.xclient.data.l[1] & 1))
				return fail("the window does not want it");
			accepted = 1;
			tell(to, me, drop, 0, CurrentTime, 0, 0);
		} else if (e.type == ClientMessage && e.xclient.message_type == finished) {
			return 0;
		}
	}
	return fail(accepted ? "the drop was not finished" : "no answer");
}
