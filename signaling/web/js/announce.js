// Speaks to screen readers, through the two live regions at the end of body. They are there and empty from the
// beginning, for a region that comes with its text is often not read.
//
// A region is cleared, and filled 150 ms later, so that the same words are read again. Announcements are at least
// 300 ms apart, and where several wait, only the newest is said: what is older is not true any more.

const CLEAR = 150;
const APART = 300;

export class Announcer {
  /** @param {HTMLElement} status  role=status @param {HTMLElement} alert  role=alert */
  constructor(status, alert) {
    this.regions = { status, alert };
    /** @type {{status: string, alert: string}} */
    this.waiting = { status: '', alert: '' };
    this.busy = false;
  }

  /** When the person has a moment, and after an alert that still waits. @param {string} text */
  say(text) {
    this.waiting.status = text;
    this.next();
  }

  /** At once, over whatever is being read, and instead of what waits to be. @param {string} text */
  alert(text) {
    this.waiting = { status: '', alert: text };
    this.next();
  }

  next() {
    if (this.busy || !(this.waiting.alert || this.waiting.status)) return;
    this.busy = true;
    this.regions.status.textContent = '';
    this.regions.alert.textContent = '';
    setTimeout(() => {
      const kind = this.waiting.alert ? 'alert' : 'status';
      this.regions[kind].textContent = this.waiting[kind];
      this.waiting[kind] = '';
      setTimeout(() => {
        this.busy = false;
        this.next();
      }, APART);
    }, CLEAR);
  }
}
