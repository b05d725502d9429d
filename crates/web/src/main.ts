// The app of the hub: what is, what is wanted, what happens, and what needs whoever looks.

import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'
import { keepShell } from './install.svelte'

const target = document.getElementById('app')
if (target) mount(App, { target })
keepShell()
