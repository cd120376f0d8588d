-- No new step starts, running pods finish.
obj.spec.suspend = true
return obj
