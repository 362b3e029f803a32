// Resolved from this folder, so that every import is this workspace's Nest (ESM entry points).
export * as common from '@nestjs/common';
export * as core from '@nestjs/core';
export * as config from '@nestjs/config';
export const vault = () => import('nestjs-vault');
