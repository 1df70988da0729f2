// Short sounds, made here and nowhere fetched. Each is under 300 ms; words always say the same; nothing waits for one.
// They can be turned off, and the choice is kept on this device.

/** @type {Record<string, [frequency: number, start: number, length: number][]>}  Hertz, seconds, seconds */
const SOUNDS = {
  asking: [
    [440, 0, 0.1],
    [587, 0.1, 0.15],
  ],
  tick: [[660, 0, 0.05]],
  answered: [
    [587, 0, 0.1],
    [784, 0.1, 0.15],
  ],
  connected: [
    [523, 0, 0.09],
    [659, 0.08, 0.09],
    [784, 0.16, 0.13],
  ],
  lost: [
    [392, 0, 0.12],
    [294, 0.12, 0.15],
  ],
  back: [
    [294, 0, 0.12],
    [392, 0.12, 0.15],
  ],
  ended: [
    [523, 0, 0.1],
    [392, 0.1, 0.17],
  ],
  nobody: [
    [330, 0, 0.12],
    [330, 0.16, 0.12],
  ],
  free: [
    [523, 0, 0.1],
    [659, 0.1, 0.1],
    [880, 0.2, 0.1],
  ],
  late: [
    [494, 0, 0.1],
    [440, 0.1, 0.15],
  ],
  ring: [
    [659, 0, 0.12],
    [880, 0.13, 0.15],
  ],
};
const LOUD = 0.25;
const RING_EVERY = 2000;
const KEPT = 'visavis.sound';

export class Sounds {
  constructor() {
    /** @type {AudioContext | null} */
    this.context = null;
    this.on = kept() !== 'off';
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.ringing = undefined;
  }

  /** To be called in a press: browsers give a page no sound before. */
  unlock() {
    try {
      this.context ??= new AudioContext();
      void this.context.resume();
    } catch {
      this.context = null; // no sound on this device: words are enough
    }
  }

  /** @param {boolean} on */
  turn(on) {
    this.on = on;
    try {
      localStorage.setItem(KEPT, on ? 'on' : 'off');
    } catch {
      // A browser that keeps nothing: the choice holds for this page.
    }
  }

  /** @param {string} name */
  play(name) {
    const context = this.context;
    const notes = SOUNDS[name];
    if (!this.on || !context || !notes || context.state !== 'running') return;
    for (const [frequency, start, length] of notes) {
      const tone = context.createOscillator();
      const volume = context.createGain();
      const from = context.currentTime + start;
      tone.type = 'triangle';
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(LOUD, from + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.001, from + length);
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(from + length);
    }
  }

  /** Ring until told otherwise. @param {boolean} on */
  ring(on) {
    clearInterval(this.ringing);
    this.ringing = undefined;
    if (!on) return;
    const once = () => {
      this.play('ring');
      // An extra, never the only sign: many devices have none, and none vibrates in a page that nobody has touched, such
      // as one that a notification has opened.
      if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.([200, 100, 200]);
    };
    once();
    this.ringing = setInterval(once, RING_EVERY);
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
