import axios from 'axios';
import { io } from 'socket.io-client';

const KONG_BASE_URL = 'https://api.example.com';
const accessToken = '<JWT_ACCESS_TOKEN>';

export const apiClient = axios.create({
  baseURL: KONG_BASE_URL,
  headers: {
    Authorization: `Bearer ${accessToken}`,
  },
});

export const chatSocket = io(`${KONG_BASE_URL}/chat`, {
  path: '/socket.io',
  transports: ['websocket'],
  auth: {
    token: accessToken,
  },
});
