// Keeps the screen on while somebody waits or talks, where the device allows it (W3C Screen Wake Lock).

export class Awake {
  constructor() {
    this.wanted = false;
    /** @type {WakeLockSentinel | null} */
    this.lock = null;
    // The lock ends whenever the page is hidden.
    document.addEventListener('visibilitychange', () => void this.hold());
  }

  /** @param {boolean} wanted */
  want(wanted) {
    this.wanted = wanted;
    if (wanted) void this.hold();
    else void this.lock?.release().catch(() => {});
  }

  async hold() {
    if (!this.wanted || document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    try {
      this.lock = await navigator.wakeLock.request('screen');
    } catch {
      this.lock = null; // low battery, say
    }
  }
}
