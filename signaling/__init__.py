"""The edge: the only floor that knows HTTP, WebSocket, WebRTC, push and mail."""
