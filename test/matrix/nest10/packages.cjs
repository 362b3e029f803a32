// Resolved from this folder, so that every require is this workspace's Nest (CommonJS entry points).
exports.common = require('@nestjs/common');
exports.core = require('@nestjs/core');
exports.config = require('@nestjs/config');
exports.vault = async () => require('nestjs-vault');
