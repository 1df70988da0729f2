// Camera and microphone. Opened before anybody is asked for, closed when the call is over.

/** @typedef {'refused' | 'absent' | 'busy' | 'insecure' | 'unsupported'} Why */
/** @typedef {{audio: MediaStreamTrack, video: MediaStreamTrack | null}} Tracks */

const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 30 } };

/** Why there is no camera or microphone, as a word that words.js has a way to repair for. @param {unknown} error @returns {Why} */
export function whyNot(error) {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
      return 'refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'absent';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'SecurityError':
      return 'insecure';
    default:
      return 'unsupported';
  }
}

export class Camera {
  /** @param {{video: boolean, onReplaced: (track: MediaStreamTrack) => void}} options */
  constructor({ video, onReplaced }) {
    this.wantsVideo = video;
    this.onReplaced = onReplaced;
    /** @type {Tracks | null} */
    this.tracks = null;
    /** @type {Promise<Tracks> | null} */
    this.opening = null;
    /** @type {'environment' | 'user'} */
    this.wanted = 'environment';
    this.muted = false;
    this.hidden = false;
    this.round = 0; // what an older opening still brings is closed
  }

  /** The tracks; opens them if need be. Rejects with what whyNot() understands. @returns {Promise<Tracks>} */
  open() {
    if (this.tracks) return Promise.resolve(this.tracks);
    this.opening ??= this.reallyOpen().finally(() => {
      this.opening = null;
    });
    return this.opening;
  }

  async reallyOpen() {
    const round = this.round;
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: AUDIO,
      video: this.wantsVideo && { ...VIDEO, facingMode: { ideal: this.wanted } },
    });
    const [audio] = stream.getAudioTracks();
    const [video = null] = stream.getVideoTracks();
    if (!audio || (this.wantsVideo && !video)) throw new DOMException('no track', 'NotFoundError');
    if (round !== this.round) {
      for (const track of stream.getTracks()) track.stop();
      throw new DOMException('closed meanwhile', 'AbortError');
    }
    this.tracks = { audio, video };
    for (const track of stream.getTracks()) this.tend(track);
    return this.tracks;
  }

  /** A telephone call or a pulled plug ends a track: get another one. @param {MediaStreamTrack} track */
  tend(track) {
    track.enabled = track.kind === 'audio' ? !this.muted : !this.hidden;
    track.onended = () => void this.reopen(track.kind).catch(() => {});
  }

  /** @param {string} kind @param {MediaTrackConstraints} [video] */
  async reopen(kind, video = { ...VIDEO, facingMode: { ideal: this.wanted } }) {
    if (!this.tracks) return;
    const stream = await navigator.mediaDevices.getUserMedia(kind === 'audio' ? { audio: AUDIO } : { video });
    const [track] = stream.getTracks();
    if (!track) return;
    if (!this.tracks) return track.stop();
    this.tracks = kind === 'audio' ? { ...this.tracks, audio: track } : { ...this.tracks, video: track };
    this.tend(track);
    this.onReplaced(track);
  }

  /** The other camera; which one it is now, where the device says so. @returns {Promise<'environment' | 'user' | ''>} */
  async flip() {
    const now = this.tracks?.video;
    if (!now) return '';
    const before = this.facing();
    this.wanted = before === 'environment' ? 'user' : 'environment';
    const id = now.getSettings().deviceId;
    // Most telephones cannot open two cameras at once.
    now.onended = null;
    now.stop();
    try {
      await this.reopen('video', {
        ...VIDEO,
        ...(before ? { facingMode: { exact: this.wanted } } : await besides(id)),
      });
    } catch {
      this.wanted = before || 'environment';
      await this.reopen('video');
    }
    return this.facing();
  }

  /** @returns {'environment' | 'user' | ''} */
  facing() {
    const mode = this.tracks?.video?.getSettings().facingMode;
    return mode === 'environment' || mode === 'user' ? mode : '';
  }

  /** @param {boolean} on */
  mute(on) {
    this.muted = on;
    if (this.tracks) this.tracks.audio.enabled = !on;
  }

  /** @param {boolean} on */
  hide(on) {
    this.hidden = on;
    if (this.tracks?.video) this.tracks.video.enabled = !on;
  }

  close() {
    this.round += 1;
    this.opening = null;
    for (const track of [this.tracks?.audio, this.tracks?.video]) {
      if (!track) continue;
      track.onended = null;
      track.stop();
    }
    this.tracks = null;
    this.muted = this.hidden = false;
  }
}

/** The camera after the one with this id. @param {string | undefined} id @returns {Promise<MediaTrackConstraints>} */
async function besides(id) {
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
  const next = cameras[(cameras.findIndex(({ deviceId }) => deviceId === id) + 1) % Math.max(1, cameras.length)];
  return next ? { deviceId: { exact: next.deviceId } } : {};
}
